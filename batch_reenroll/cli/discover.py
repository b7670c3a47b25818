"""``discover``: a ready manifest from the live inventory. GET only."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from batch_reenroll.campaign.discover import (
    COLUMNS,
    LeftOutBecause,
    Wanted,
    left_out,
    names_wanted,
    rows_of,
    with_names,
)
from batch_reenroll.campaign.nouns import Store
from batch_reenroll.campaign.plan import Directory
from batch_reenroll.cli.carry import Connect, run_async
from batch_reenroll.cli.connection import required_connection, way_to
from batch_reenroll.cli.console import Console
from batch_reenroll.cli.options import (
    Moment,
    Rate,
    connection_options,
    console_from,
    console_options,
)
from batch_reenroll.cli.wholefile import written_whole
from batch_reenroll.command import CommandClient
from batch_reenroll.errors import (
    ContractViolation,
    NotAuthorised,
    Refused,
    UsageError,
)
from batch_reenroll.manifest.subject import SubjectInvalid, parse
from batch_reenroll.runner import read_directory, read_inventories
from batch_reenroll.runner.ports import MAX_THUMBPRINTS
from batch_reenroll.text import defuse, undefuse, visible

#: A row, or why there is none.
_Found = dict[str, str] | tuple[LeftOutBecause, str]

_LEFT_OUT_COLUMNS = (
    "KeystoreId",
    "ClientMachine",
    "StorePath",
    "StoreType",
    "reason_code",
    "reason",
)


@click.command()
@click.option(
    "-o",
    "output_file",
    metavar="FILE.csv",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The manifest to write; what is left out goes to FILE.left-out.csv.",
)
@click.option("--query", default="", help="Which stores, in Command's query language.")
@click.option("--store-type", multiple=True, metavar="T", help="Short name or number.")
@click.option("--container", multiple=True, metavar="C", help="Container name.")
@click.option(
    "--orchestrator", multiple=True, metavar="O", help="Machine name or GUID."
)
@click.option(
    "--expiring-before", type=Moment(), metavar="DATE", help="By their NotAfter."
)
@click.option(
    "--issuer", default="", metavar="TEXT", help="Issuers that contain this, any case."
)
@click.option(
    "--exclude",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="A CSV file whose KeystoreId column names stores to leave out.",
)
@click.option("--limit", type=click.IntRange(min=1), help="This many rows at most.")
@click.option(
    "--rate",
    type=Rate(),
    default=20.0,
    show_default=True,
    help="Inventories read per second, at most.",
)
@connection_options
@console_options
def discover(output_file: Path, **values: Any) -> int:
    """Write a manifest of what the live inventory holds.

    One row for each certificate of a store that can be re-enrolled: alias, subject,
    thumbprint and entry parameters as they are now. It validates at once. Options of
    one kind may be repeated: any of them fits; options of different kinds must all.
    """
    console = console_from(values)
    wanted = Wanted(
        store_types=frozenset(values["store_type"]),
        containers=frozenset(values["container"]),
        orchestrators=frozenset(values["orchestrator"]),
        expiring_before=values["expiring_before"],
        issuer=values["issuer"],
        excluded=_excluded(values["exclude"]),
    )
    way = way_to(required_connection(values), console)
    tour = Tour(
        wanted=wanted,
        query=values["query"],
        limit=values["limit"],
        rate_per_s=values["rate"],
    )
    counts = run_async(tour.write(way, output_file))
    _say(counts, output_file, console)
    if tour.no_names:
        console.warn(f"SANs are not filled in as parameters: {tour.no_names}")
    return 0


def _excluded(path: Path | None) -> frozenset[str]:
    if path is None:
        return frozenset()
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns = {name.casefold(): name for name in reader.fieldnames or ()}
            if "keystoreid" not in columns:
                message = f"--exclude {path}: there is no column KeystoreId"
                raise UsageError(message)
            cells = [undefuse(row[columns["keystoreid"]] or "") for row in reader]
    except (OSError, ValueError, csv.Error) as exc:
        raise UsageError(f"--exclude {path} cannot be read: {exc}") from exc
    return frozenset(cell.strip().strip("{}").lower() for cell in cells if cell.strip())


class Tour:
    """One reading of all inventories that are wanted.

    Args:
        wanted: Which stores and certificates.
        query: In Command's query language, or "".
        limit: Rows at most, or None.
        rate_per_s: Inventories read per second, > 0.
    """

    def __init__(
        self, *, wanted: Wanted, query: str, limit: int | None, rate_per_s: float
    ) -> None:
        self._wanted = wanted
        self._query = query
        self._limit = limit
        self._rate_per_s = rate_per_s
        self._no_names = ""

    @property
    def no_names(self) -> str:
        """Why SANs that a type wants as a parameter are not filled in, or ""."""
        return self._no_names

    async def write(self, way: Connect, path: Path) -> Counter[str]:
        """Write the two files; return the number of rows, and of what was left out.

        Raises:
            CommandError: Command could not be asked.
            UsageError: A file cannot be written, or Command refuses the query.
        """
        counts: Counter[str] = Counter()
        with ExitStack() as files:
            rows = _writer(files, path, COLUMNS)
            others = _writer(files, beside(path), _LEFT_OUT_COLUMNS)
            async with way() as client:
                directory = await self._directory(client)
                found_ones = self._found(client, directory)
                async for store, found in self._named(client, directory, found_ones):
                    if isinstance(found, dict):
                        counts["rows"] += 1
                        rows.writerow({k: defuse(v) for k, v in found.items()})
                        if counts["rows"] == self._limit:
                            break
                    else:
                        counts[found[0]] += 1
                        others.writerow(_left_out_line(store, found, directory))
        return counts

    async def _directory(self, client: CommandClient) -> Directory:
        try:
            return await read_directory(client, query=self._query)
        except Refused as exc:
            if not self._query:
                raise
            message = f"--query {visible(self._query, 200)!r}: {exc.message}"
            hint = """for example: --query 'ClientMachine -contains "web"'"""
            raise UsageError(message, hint=hint) from exc

    async def _found(
        self, client: CommandClient, directory: Directory
    ) -> AsyncIterator[tuple[Store, _Found]]:
        """Yield what is left out unread, then rows and reasons store by store."""
        readable: list[str] = []
        for store in directory.stores.values():
            if not self._wanted.has_store(store, directory):
                continue
            reason = left_out(store, directory)
            if reason is None:
                readable.append(store.store_id)
            else:
                yield store, reason
        rate_per_s = self._rate_per_s
        async for held in read_inventories(client, readable, rate_per_s=rate_per_s):
            store = directory.stores[held.store_id]
            if held.inventory is None:
                yield store, (LeftOutBecause.INVENTORY_UNREADABLE, held.message)
                continue
            for one in rows_of(store, held.inventory, directory, self._wanted):
                yield store, _readable(one) if isinstance(one, dict) else one

    async def _named(
        self,
        client: CommandClient,
        directory: Directory,
        found: AsyncIterator[tuple[Store, _Found]],
    ) -> AsyncIterator[tuple[Store, _Found]]:
        """Yield the same, with SANs where a type wants them as a parameter."""
        waiting: list[tuple[Store, _Found]] = []
        wanted: dict[int, str] = {}
        async for store, one in found:
            if isinstance(one, dict) and not self._no_names:
                kind = directory.types.get(store.store_type)
                parameter = names_wanted(one, store, kind)
                if parameter is not None:
                    wanted[len(waiting)] = parameter
            waiting.append((store, one))
            if not wanted or len(wanted) >= MAX_THUMBPRINTS:
                for each in await self._filled(client, waiting, wanted):
                    yield each
                waiting, wanted = [], {}
        for each in await self._filled(client, waiting, wanted):
            yield each

    async def _filled(
        self,
        client: CommandClient,
        found: list[tuple[Store, _Found]],
        wanted: Mapping[int, str],
    ) -> list[tuple[Store, _Found]]:
        if not wanted or self._no_names:
            return found
        rows = {at: row for at, (_, row) in enumerate(found) if isinstance(row, dict)}
        try:
            facts = await client.certificates(
                [rows[at]["CurrentThumbprint"] for at in wanted]
            )
        except (Refused, NotAuthorised, ContractViolation) as exc:
            # Nothing but a help: whoever may not read certificates fills them in.
            self._no_names = exc.message
            return found
        sans = {one.thumbprint: one.sans for one in facts}
        filled = list(found)
        for at, parameter in wanted.items():
            names = sans.get(rows[at]["CurrentThumbprint"])
            filled[at] = found[at][0], with_names(rows[at], parameter, names)
        return filled


def _readable(row: dict[str, str]) -> _Found:
    """Return the row, or why it would make the manifest invalid."""
    try:
        parse(row["SubjectName"])
    except SubjectInvalid as exc:
        said = f"subject {visible(row['SubjectName'], 200)}: {exc}"
        return LeftOutBecause.SUBJECT_UNREADABLE, said
    return row


def beside(path: Path) -> Path:
    """Return the name of the file for what is left out."""
    return path.with_name(f"{path.stem}.left-out.csv")


def _writer(
    files: ExitStack, path: Path, columns: Iterable[str]
) -> csv.DictWriter[str]:
    writer = csv.DictWriter(files.enter_context(written_whole(path)), list(columns))
    writer.writeheader()
    return writer


def _left_out_line(
    store: Store, found: tuple[LeftOutBecause, str], directory: Directory
) -> dict[str, str]:
    kind = directory.types.get(store.store_type)
    line = {
        "KeystoreId": store.store_id,
        "ClientMachine": store.client_machine,
        "StorePath": store.store_path,
        "StoreType": kind.short_name if kind else str(store.store_type),
        "reason_code": str(found[0]),
        "reason": found[1],
    }
    return {name: defuse(visible(text, 4096)) for name, text in line.items()}


def _say(counts: Counter[str], path: Path, console: Console) -> None:
    left = {str(code): counts[code] for code in LeftOutBecause if counts[code]}
    if console.as_json:
        console.json({"manifest": str(path), "rows": counts["rows"], "left_out": left})
    else:
        console.data(f"{path}: {counts['rows']} rows")
        for line in _lines(left):
            console.data(line)
    if left:
        console.info(f"what is left out, with the reason: {beside(path)}")
    console.info(f"next: batch-reenroll validate {path}")


def _lines(left: dict[str, int]) -> Iterator[str]:
    for code, n in left.items():
        yield f"  {n} left out: {code.replace('_', ' ')}"
