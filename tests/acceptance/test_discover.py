"""``discover``: the manifest it writes validates, plans and runs as it is."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from acceptance.served import QUICK, Served
from acceptance.terminal import Terminal


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
