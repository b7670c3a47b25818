"""What a verb does not use, it does not wait for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    *("pandas", "numpy", "aiohttp", "jsonschema", "cryptography", "jinja2", "rich"),
    *("yaml", "uvloop", "pyarrow", "xlsxwriter"),
)
MANIFEST = (
    "KeystoreId,SubjectName,AgentGuid,Alias,Deadline,JobProperties\n"
    "0f8fad5b-d9cb-469f-a165-70867728950e,CN=a,7c9e6679-7425-40de-944b-e07fc1f90ae7,"
    'web,2026-12-01T00:00:00Z,"{""SiteName"": ""Default""}"\n'
)
PROBE = """
import json, sys
from batch_reenroll.cli.main import main
code = main(sys.argv[2:])
print(json.dumps([code, *sorted(set(sys.argv[1].split(",")) & set(sys.modules))]))
"""


def code_and_loaded(*words: str, names: tuple[str, ...] = HEAVY) -> list[object]:
    """Return the verb's exit code and which of ``names`` it imported."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, ",".join(names), *words],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )
    found: list[object] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "stores.csv"
    path.write_text(MANIFEST)
    return path


def test_help_loads_nothing_heavy() -> None:
    assert code_and_loaded("--help") == [0]


@pytest.mark.parametrize("verb", ["validate", "status"])
def test_the_help_of_an_offline_verb_loads_nothing_heavy(verb: str) -> None:
    assert code_and_loaded(verb, "--help") == [0]


def test_validating_a_plain_csv_manifest_loads_nothing_heavy(manifest: Path) -> None:
    assert code_and_loaded("validate", str(manifest)) == [0]


def test_status_loads_nothing_heavy(tmp_path: Path) -> None:
    ledger = f"sqlite:///{tmp_path / 'ledger.db'}"
    make = "import sys; from pathlib import Path; from batch_reenroll.ledger import "
    make += "SqliteLedger; SqliteLedger(Path(sys.argv[1])).close()"
    subprocess.run(
        [sys.executable, "-c", make, str(tmp_path / "ledger.db")], check=True
    )
    no_campaign = 2
    assert code_and_loaded("status", "--ledger", ledger) == [no_campaign]


def test_a_row_with_a_fault_is_put_before_the_schema(manifest: Path) -> None:
    manifest.write_text(MANIFEST.replace("0f8fad5b", "nope"))
    assert code_and_loaded("validate", str(manifest), names=("jsonschema",)) == [
        3,
        "jsonschema",
    ]
