"""``discover``: the manifest it writes validates, plans and runs as it is."""

from __future__ import annotations

import csv
import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from acceptance.accounts import BOX, BOX_TYPE
from acceptance.served import QUICK, Served, serve
from acceptance.terminal import Terminal, finished

from batch_reenroll.sandbox import FleetPlan, Right, load_store_types


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_live_inventory_becomes_a_manifest_that_runs(
    terminal: Terminal, command: Served
) -> None:
    wanted = command.rows(3)
    before = command.posts()
    exclude = terminal.folder / "others.csv"
    chosen = {row["KeystoreId"] for row in wanted}
    with exclude.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["KeystoreId"])
        stores = (store.store_id for store in command.fleet.stores)
        writer.writerows([store] for store in stores if store not in chosen)
    manifest = terminal.folder / "found.csv"
    words = ("--exclude", exclude, "--rate=500")
    terminal.run("discover", "-o", manifest, *words).expect(0)
    assert command.posts() == before
    found = {row["KeystoreId"]: row for row in _rows(manifest)}
    assert found.keys() == chosen
    for row in wanted:
        store = row["KeystoreId"]
        assert found[store]["Alias"] == row["Alias"]
        assert found[store]["AgentGuid"] == row["AgentGuid"]
        assert found[store]["CurrentThumbprint"] == command.thumbprint(store)
    terminal.run("validate", manifest).expect(0)
    terminal.run("run", manifest, "--yes", "--campaign=c", *QUICK).expect(0)
    command.assert_one_job_each(wanted)


def test_filters_narrow_and_the_limit_ends(terminal: Terminal, command: Served) -> None:
    manifest = terminal.folder / "found.csv"
    words = ("--store-type=pem", "--limit=5", "--rate=500", "--output=json")
    said = terminal.run("discover", "-o", manifest, *words).expect(0)
    assert json.loads(said.out)["rows"] == 5
    assert {row["x-store-type"].casefold() for row in _rows(manifest)} == {"pem"}


def test_nothing_expires_before_the_past(terminal: Terminal, command: Served) -> None:
    manifest = terminal.folder / "found.csv"
    words = ("--expiring-before=2001-01-01", "--store-type=JKS", "--rate=1000")
    said = terminal.run("discover", "-o", manifest, *words).expect(0)
    assert "0 rows" in said.out


def test_a_file_that_cannot_be_written_leaves_nothing_behind(
    terminal: Terminal, command: Served
) -> None:
    nowhere = terminal.folder / "missing" / "found.csv"
    refused = terminal.run("discover", "-o", nowhere).expect(2)
    assert "cannot be written" in refused.err
    assert not list(terminal.folder.glob("*.csv"))


def test_a_query_that_command_refuses_is_a_mistake_of_the_caller(
    terminal: Terminal, command: Served
) -> None:
    words = ("discover", "-o", "found.csv", "--query=Nosuch -eq 1")
    refused = terminal.run(*words).expect(2)
    assert "--query 'Nosuch -eq 1'" in refused.err
    assert "unknown field 'Nosuch'" in refused.err


@contextmanager
def _boxes(folder: Path, *rights: str) -> Iterator[Terminal]:
    """Serve stores of a type that wants the SANs as a parameter."""
    home = folder / "served"
    home.mkdir()
    box = {**BOX_TYPE, "EntryParameters": [{"Name": "SAN", "Type": "String"}]}
    types = home / "types.json"
    types.write_text(json.dumps([box]), encoding="utf-8")
    known = load_store_types(types)
    plan = FleetPlan(stores=30, orchestrators=2, store_types=known, more_names=True)
    flags = [f"--store-types={types}", "--more-names"]
    if rights:
        accounts = [{"user": "few", "password": "x-few-x", "rights": list(rights)}]
        known_file = home / "people.json"
        known_file.write_text(json.dumps({"identities": accounts}), encoding="utf-8")
        flags.append(f"--identities={known_file}")
    command = serve(home, plan, flags=flags)
    (folder / "mine").mkdir()
    who = {"KEYFACTOR_USERNAME": "few", "KEYFACTOR_PASSWORD": "x-few-x"}
    env = {**command.env, **(who if rights else {})}
    try:
        yield Terminal(folder=folder / "mine", env=env)
    finally:
        command.process.send_signal(signal.SIGTERM)
        finished(command.process)


def test_a_type_that_wants_the_names_as_a_parameter_gets_them(tmp_path: Path) -> None:
    with _boxes(tmp_path) as terminal:
        terminal.run("discover", "-o", "m.csv", f"--store-type={BOX}").expect(0)
        terminal.run("plan", "m.csv", "--output=json").expect(0)
        rows = _rows(terminal.folder / "m.csv")
    named = [json.loads(row["JobProperties"])["SAN"] for row in rows]
    for row, names in zip(rows, named, strict=True):
        host = row["SubjectName"].split(",")[0].removeprefix("CN=")
        assert f"dns={host}" in names.split("&")
    assert any("&dns=" in names for names in named)


def test_who_may_not_read_certificates_is_told_that_names_are_missing(
    tmp_path: Path,
) -> None:
    rights = (Right.READ_STORES, Right.READ_AGENTS)
    with _boxes(tmp_path, *rights) as terminal:
        said = terminal.run("discover", "-o", "m.csv", f"--store-type={BOX}").expect(0)
        rows = _rows(terminal.folder / "m.csv")
    assert "SANs are not filled in as parameters" in said.err
    assert rows
    assert all("SAN" not in row["JobProperties"] for row in rows)
