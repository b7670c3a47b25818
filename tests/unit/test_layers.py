"""Which room may import what: the house plan, held by reading the source."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import batch_reenroll

PACKAGE = Path(batch_reenroll.__file__).parent

# Time, randomness and files come in as arguments; what is shipped in the package
# (schemas, templates) may be read through importlib.resources.
EFFECTS = (
    *("asyncio", "aiohttp", "sqlite3", "socket", "random", "time"),
    *("os", "sys", "pathlib.Path", "logging", "subprocess", "threading", "tempfile"),
    *("uvloop", "click", "rich"),
)
EFFECT_CALLS = (
    *("open", "print", "input", "now", "utcnow", "today", "uuid1", "uuid4"),
    *("write_text", "write_bytes"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What a room may do besides importing itself.

    Attributes:
        ours: Modules of ours that it may import, each with all that is below it.
        typing_only: The same, but only under ``if TYPE_CHECKING``.
        never: Libraries it must not name, each with all that is below it.
        never_calls: Functions and methods it must not call, by their last name.
        exempt: Files of the room in which ``never`` and ``never_calls`` do not hold.
    """

    ours: tuple[str, ...] = ()
    typing_only: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    never_calls: tuple[str, ...] = ()
    exempt: tuple[str, ...] = ()


ROOMS: Mapping[str, Room] = {
    "__init__": Room(never=EFFECTS, never_calls=EFFECT_CALLS),
    "__main__": Room(ours=("cli",)),
    "errors": Room(never=EFFECTS, never_calls=EFFECT_CALLS),
    "text": Room(never=EFFECTS, never_calls=EFFECT_CALLS),
    "campaign": Room(ours=("errors", "text"), never=EFFECTS, never_calls=EFFECT_CALLS),
    "manifest": Room(
        ours=(
            *("campaign.endpoint", "campaign.nouns"),
            *("campaign.budget", "campaign.quota"),
            *("campaign.waves", "campaign.windows"),
            *("errors", "text"),
        ),
        never=EFFECTS,
        never_calls=EFFECT_CALLS,
    ),
    "evidence": Room(
        ours=("campaign.lifecycle", "errors", "text"),
        never=EFFECTS,
        never_calls=EFFECT_CALLS,
    ),
    "report": Room(
        ours=("campaign.fingerprint", "errors", "text"),
        never=EFFECTS,
        never_calls=EFFECT_CALLS,
        exempt=("report/folder.py", "report/workbook.py"),
    ),
    "runner": Room(
        ours=("campaign", "errors", "text"),
        never=("aiohttp", "sqlite3", "click", "rich", "random", "time"),
    ),
    "command": Room(
        ours=("campaign", "errors", "text"),
        typing_only=("runner",),
        never=("sqlite3", "click", "rich"),
    ),
    "handshake": Room(
        ours=("campaign.endpoint", "text"),
        never=("aiohttp", "sqlite3", "click", "rich"),
    ),
    "ledger": Room(
        ours=("campaign", "errors", "text"),
        typing_only=("runner",),
        never=("aiohttp", "click", "rich"),
    ),
    "observe": Room(
        ours=("__version__", "campaign", "errors", "text"),
        typing_only=("command", "runner"),
        never=("sqlite3", "click", "rich", "random"),
    ),
    "sandbox": Room(never=("click", "rich")),
    "cli": Room(
        ours=(
            *("__version__", "campaign", "command", "errors", "evidence"),
            *("handshake", "ledger"),
            *("manifest", "observe", "report", "runner", "sandbox", "text"),
        )
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """An import or a call: its line, its dotted name, and where it stands."""

    line: int
    name: str
    is_call: bool = False
    is_relative: bool = False
    is_typing: bool = False


class _Uses(ast.NodeVisitor):
    def __init__(self) -> None:
        self.found: list[Use] = []
        self._typing = False

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._add_import(node, alias.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            self._add_import(node, f"{node.module or ''}.{alias.name}", node.level > 0)

    def visit_If(self, node: ast.If) -> None:
        outer = self._typing
        test = ast.unparse(node.test)
        self._typing = outer or test in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}
        for statement in node.body:
            self.visit(statement)
        self._typing = outer
        for part in (node.test, *node.orelse):
            self.visit(part)

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func
        if isinstance(called, ast.Name | ast.Attribute):
            name = called.id if isinstance(called, ast.Name) else called.attr
            self.found.append(Use(line=node.lineno, name=name, is_call=True))
        self.generic_visit(node)

    def _add_import(self, node: ast.stmt, name: str, is_relative: bool = False) -> None:
        self.found.append(
            Use(
                line=node.lineno,
                name=name,
                is_relative=is_relative,
                is_typing=self._typing,
            )
        )


def uses_in(source: str) -> list[Use]:
    """Return every import and every call by name in ``source``, functions included."""
    visitor = _Uses()
    visitor.visit(ast.parse(source))
    return visitor.found


def below(name: str, roots: tuple[str, ...]) -> bool:
    """Tell whether ``name`` is one of ``roots`` or stands below one."""
    return any(name == root or name.startswith(f"{root}.") for root in roots)


def broken_rule(path: str, room_name: str, use: Use) -> str | None:
    """Return the rule of ``ROOMS`` that ``use`` breaks in the file ``path``."""
    room = ROOMS[room_name]
    ours = ", ".join((room_name, *room.ours))
    if use.is_call:
        forbidden = use.name in room.never_calls and path not in room.exempt
        return f"{room_name} never calls {use.name}()" if forbidden else None
    if use.is_relative:
        return "imports are absolute"
    if below(use.name, ("batch_reenroll",)):
        name = use.name.removeprefix("batch_reenroll").removeprefix(".")
        if below(name, (room_name, *room.ours)):
            return None
        if below(name, room.typing_only):
            late = f"{room_name} imports {name.split('.')[0]} only under TYPE_CHECKING"
            return None if use.is_typing else late
        return f"of ours, {room_name} imports only: {ours}"
    if below(use.name, room.never) and path not in room.exempt:
        return f"{room_name} never imports {use.name.split('.')[0]}"
    return None


def violations(path: str, source: str) -> list[str]:
    """Return one line for each broken rule in a file.

    Args:
        path: The file relative to the package, ``runner/pool.py``.
        source: Its text.

    Returns:
        ``file:line: what: rule`` lines in the order of the file; empty when all hold.
    """
    room_name = path.removesuffix(".py").split("/")[0]
    return [
        f"batch_reenroll/{path}:{use.line}: "
        f"{'calls' if use.is_call else 'imports'} {use.name}: {rule}"
        for use in uses_in(source)
        if (rule := broken_rule(path, room_name, use)) is not None
    ]


def module_name(path: str) -> str:
    """Return the dotted name of the file ``path``, relative to the package."""
    dotted = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return f"batch_reenroll.{dotted}"


def cycle_among(sources: Mapping[str, str]) -> list[str]:
    """Return the modules of an import cycle, first one repeated last, or nothing.

    Imports inside functions count: a late import hides a cycle, it does not mend it.

    Args:
        sources: Text by path relative to the package.
    """
    known = {module_name(path) for path in sources}
    graph = {
        module_name(path): {
            target
            for use in uses_in(source)
            if not use.is_call and not use.is_typing
            for target in [nearest_module(use.name, known)]
            if target not in {None, module_name(path)}
        }
        for path, source in sources.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [str(module) for module in error.args[1]]
    return []


def nearest_module(name: str, known: set[str]) -> str | None:
    """Return the longest prefix of ``name`` that is a module, or ``None``."""
    while name and name not in known:
        name = name.rpartition(".")[0]
    return name or None


def sources_of(room_name: str) -> dict[str, str]:
    """Return the text of every file of a room, by path relative to the package."""
    folder = PACKAGE / room_name
    files = folder.rglob("*.py") if folder.is_dir() else [folder.with_suffix(".py")]
    return {
        path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(files)
        if path.exists()
    }


def rooms_on_disk() -> Iterator[str]:
    """Yield the name of every module and package at the top of ours."""
    for path in PACKAGE.iterdir():
        if path.suffix == ".py" or (path / "__init__.py").exists():
            yield path.stem


def test_every_room_has_a_rule() -> None:
    assert sorted(set(rooms_on_disk()) - set(ROOMS)) == []


@pytest.mark.parametrize("room_name", sorted(ROOMS))
def test_room_keeps_to_its_rule(room_name: str) -> None:
    broken = [
        line
        for path, source in sources_of(room_name).items()
        for line in violations(path, source)
    ]
    assert not broken, "\n" + "\n".join(broken)


@pytest.mark.parametrize("room_name", sorted(ROOMS))
def test_modules_of_a_room_import_each_other_without_a_cycle(room_name: str) -> None:
    cycle = cycle_among(sources_of(room_name))
    assert not cycle, " imports ".join(reversed(cycle))


def test_every_module_says_what_it_owns() -> None:
    silent = [
        path.relative_to(PACKAGE.parent).as_posix()
        for path in sorted(PACKAGE.rglob("*.py"))
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert silent == []


@pytest.mark.parametrize(
    ("path", "source", "rule"),
    [
        ("runner/a.py", "import aiohttp.web", "runner never imports aiohttp"),
        ("runner/a.py", "from sqlite3 import connect", "runner never imports sqlite3"),
        ("runner/a.py", "def f():\n    import rich", "runner never imports rich"),
        (
            "runner/a.py",
            "from batch_reenroll.ledger.sqlite import SqliteLedger",
            "of ours, runner imports only: runner, campaign, errors, text",
        ),
        (
            "ledger/a.py",
            "from batch_reenroll.runner.ports import Ledger",
            "ledger imports runner only under TYPE_CHECKING",
        ),
        (
            "command/a.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    pass\n"
            "else:\n    import batch_reenroll.runner.ports",
            "command imports runner only under TYPE_CHECKING",
        ),
        (
            "sandbox/a.py",
            "from batch_reenroll import errors",
            "of ours, sandbox imports only: sandbox",
        ),
        (
            "manifest/a.py",
            "from batch_reenroll.campaign.plan import Plan",
            "of ours, manifest imports only: manifest, campaign.endpoint, campaign.",
        ),
        ("errors.py", "import batch_reenroll.text", "of ours, errors imports only"),
        (
            "report/a.py",
            "import batch_reenroll.cli",
            "of ours, report imports only: report, campaign.fingerprint, errors,",
        ),
        ("campaign/a.py", "from random import random", "campaign never imports random"),
        ("campaign/a.py", "at = datetime.now(UTC)", "campaign never calls now()"),
        ("manifest/a.py", "open('rows.csv')", "manifest never calls open()"),
        ("manifest/a.py", "from pathlib import Path", "manifest never imports pathlib"),
        ("report/page.py", "import time", "report never imports time"),
        ("command/a.py", "from . import http", "imports are absolute"),
    ],
)
def test_checker_catches_a_planted_violation(path: str, source: str, rule: str) -> None:
    # A blank line in front, so that a line number that is always 1 is caught as well.
    (found,) = violations(path, "\n" + source)
    line = source.count("\n") + 2
    assert found.startswith(f"batch_reenroll/{path}:{line}: ")
    assert f": {rule}" in found


@pytest.mark.parametrize(
    ("path", "source"),
    [
        (
            "ledger/a.py",
            "import sqlite3\nfrom typing import TYPE_CHECKING\n"
            "if TYPE_CHECKING:\n    from batch_reenroll.runner.ports import Ledger",
        ),
        ("manifest/a.py", "from batch_reenroll.campaign import nouns"),
        ("manifest/a.py", "from pathlib import PurePosixPath"),
        ("report/folder.py", "import os\nfrom pathlib import Path\nopen('a')"),
        ("campaign/a.py", "import timeit_of_ours\nfrom datetime import datetime"),
        ("cli/a.py", "from batch_reenroll import __version__, ledger\nprint('x')"),
    ],
)
def test_checker_passes_what_the_rules_allow(path: str, source: str) -> None:
    assert violations(path, source) == []


def test_checker_catches_a_cycle_hidden_in_a_function() -> None:
    cycle = cycle_among(
        {
            "runner/__init__.py": "from batch_reenroll.runner.pool import Pool",
            "runner/pool.py": "from batch_reenroll.runner import poll",
            "runner/poll.py": "def f():\n    import batch_reenroll.runner.pool",
        }
    )
    assert set(cycle) == {"batch_reenroll.runner.pool", "batch_reenroll.runner.poll"}


def test_checker_passes_a_cycle_of_types_only() -> None:
    late = "if TYPE_CHECKING:\n    from batch_reenroll.runner.pool import Pool"
    early = "from batch_reenroll.runner.poll import Poll"
    assert cycle_among({"runner/pool.py": early, "runner/poll.py": late}) == []
