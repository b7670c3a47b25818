"""``sandbox serve``: the flags for the version of Command and for store types."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox.rig import basic

ROOT = Path(__file__).parents[2]
PASSWORD = "of-the-test"
GADGET = {
    "Name": "Gadget",
    "ShortName": "Gadget",
    "SupportedOperations": {"Enrollment": True},
    "CustomAliasAllowed": "Optional",
}


def command(folder: Path, *flags: str) -> list[str]:
    fixed = ["--dir", str(folder), "--password-env", "SANDBOX_PASSWORD"]
    small = ["--stores", "12", "--orchestrators", "1"]
    program = [sys.executable, "-m", "batch_reenroll", "sandbox", "serve"]
    return [*program, *fixed, *small, *flags]


def environment() -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "SANDBOX_PASSWORD": PASSWORD,
    }


@contextmanager
def served(folder: Path, *flags: str) -> Iterator[str]:
    """Yield the API's address of a sandbox in a process of its own."""
    with subprocess.Popen(
        command(folder, *flags), stdout=subprocess.PIPE, text=True, env=environment()
    ) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("Listening on "):
                    yield line.split()[2].rstrip(";") + "/KeyfactorAPI"
                    return
            raise AssertionError("it never listened")
        finally:
            process.terminate()


def test_dialect_and_store_types_are_served_as_asked(tmp_path: Path) -> None:
    path = tmp_path / "types.json"
    path.write_text(json.dumps([GADGET]))
    flags = ("--dialect", "10", "--iis", "2", "--store-types", str(path))
    with served(tmp_path / "fleet", *flags) as url:
        request = urllib.request.Request(
            f"{url}/CertificateStores",
            headers={"Authorization": basic("sandbox", PASSWORD)},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            version = answer.headers["X-Keyfactor-Product-Version"]
            stores = json.load(answer)

    numbers = [store["CertStoreType"] for store in stores]
    assert version.startswith("10.")
    assert numbers.count(105) == 2
    assert 120 in numbers


def test_a_bad_file_of_store_types_is_a_usage_error_that_names_each_fault(
    tmp_path: Path,
) -> None:
    path = tmp_path / "types.json"
    path.write_text(json.dumps([{"Name": "x"}, {"ShortName": "y"}]))
    done = subprocess.run(
        command(tmp_path / "fleet", "--store-types", str(path)),
        capture_output=True,
        text=True,
        env=environment(),
        timeout=60,
        check=False,
    )

    assert done.returncode == 2
    assert "types.json: store type 1: ShortName is required" in done.stderr
    assert "store type 2: Name is required" in done.stderr
    assert not (tmp_path / "fleet").exists()
