"""schemathesis, which is not ours, holds the served sandbox to its own description.

For each operation it sends over HTTP what the description allows and what it does not,
follows the links between operations, leaves credentials out, tries other methods, and
looks at status, content type, body and ``Allow`` of every answer.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sandbox.hosting import hosted
from sandbox.rig import UrlClient

from batch_reenroll.sandbox import (
    FaultScript,
    FleetPlan,
    JobFault,
    SandboxConfig,
    SandboxServer,
    Settings,
)

CHECKS = Path(__file__).with_name("schemathesis.toml")
PLAN = FleetPlan(stores=6, orchestrators=2, offline=1, unsupported_stores=1, rsa_pct=0)


def served(folder: Path, dialect: str) -> SandboxConfig:
    """Return a sandbox whose jobs end in every way."""
    jobs = (JobFault(result=4, times=2), JobFault(result=3, nth=3, times=2))
    return SandboxConfig(
        directory=folder / "sandbox",
        plan=PLAN,
        settings=Settings(
            dialect=dialect, heartbeat_s=0.05, job_min_s=0.01, job_max_s=0.05
        ),
        faults=FaultScript(jobs=jobs),
        password="secret",
    )


def schemathesis(server: SandboxServer, folder: Path, *arguments: str) -> None:
    """Run schemathesis against ``server``; its own report is the failure's text."""
    env = server.env
    user, password = env["KEYFACTOR_USERNAME"], env["KEYFACTOR_PASSWORD"]
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CHECKS)),
        *("run", f"{server.url}/KeyfactorAPI/openapi.json"),
        *("--auth", f"{user}:{password}", "--seed", "1", "--no-color", *arguments),
    ]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]


def statuses(server: SandboxServer, document: dict[str, Any]) -> dict[str, set[int]]:
    """Return with what the server answered, by operation, from its own log."""
    seen: dict[str, set[int]] = {}
    patterns = {
        (method.upper(), re.compile(re.sub(r"\{\w+\}", "[^/]+", path))): operation
        for path, item in reversed(document["paths"].items())
        for method, operation in item.items()
    }
    for line in server.log_path.read_text().splitlines():
        entry = json.loads(line)
        for (method, pattern), operation in patterns.items():
            if entry.get("method") == method and pattern.fullmatch(entry["path"]):
                name = operation["operationId"]
                seen.setdefault(name, set()).add(entry["status"])
    return seen


def visit(folder: Path, dialect: str, *arguments: str) -> dict[str, set[int]]:
    """Let schemathesis at a sandbox; return the statuses it got, by operation."""
    with hosted(served(folder, dialect)) as server:
        document = json.loads(
            UrlClient(server)._send("GET", "/openapi.json", None).body
        )
        schemathesis(server, folder, *arguments)
        return statuses(server, document)


def test_what_is_served_is_what_is_described(tmp_path: Path) -> None:
    seen = visit(tmp_path, "25", "-n", "6")

    assert [name for name, found in seen.items() if not found & {200, 204}] == []
    assert max(status for found in seen.values() for status in found) < 500


@pytest.mark.parametrize("dialect", ["10", "11", "24"])
def test_every_dialect_answers_in_the_shapes_it_describes(
    tmp_path: Path, dialect: str
) -> None:
    seen = visit(tmp_path, dialect, "--phases=examples")

    assert [name for name, found in seen.items() if not found & {200, 204}] == []
    assert max(status for found in seen.values() for status in found) < 500
