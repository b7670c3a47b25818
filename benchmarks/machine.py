"""On what a figure was measured: a figure without its machine says nothing."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Machine:
    """``facts`` by name: processor, cores, memory, load, versions, date, commit."""

    facts: dict[str, str]

    def sentence(self) -> str:
        """Return the facts for people."""
        return "; ".join(f"{name}: {fact}" for name, fact in self.facts.items()) + "."


def machine(libraries: Sequence[str] = ()) -> Machine:
    """Return the machine as it is now, with the versions of installed packages."""
    cores = len(os.sched_getaffinity(0))
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    load = ", ".join(f"{n:.2f}" for n in os.getloadavg())
    facts = {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "processor": _processor(),
        "cores": str(cores),
        "memory": f"{memory_bytes / 2**30:.0f} GiB",
        "kernel": platform.release(),
        "load over 1, 5, 15 min": load,
        "Python": platform.python_version(),
    }
    facts |= {name: found for name in libraries if (found := _version(name))}
    return Machine({**facts, "commit": _commit()})


def _processor() -> str:
    described = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    found = re.search(r"^model name\s*:\s*(.+)$", described, re.MULTILINE)
    return found.group(1) if found else platform.processor()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _commit() -> str:
    git = ["git", "-C", str(_HERE)]
    try:
        known = subprocess.run(
            [*git, "rev-parse", "--short", "HEAD"],
            check=True,
            capture_output=True,
            text=True,
        )
        changed = subprocess.run(
            [*git, "status", "--porcelain", "--untracked-files=no"],
            check=True,
            capture_output=True,
            text=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return known.stdout.strip() + (" with changes" if changed.stdout else "")
