"""The sandbox stands alone, and its core knows neither clock nor I/O."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import batch_reenroll.sandbox as sandbox

ROOM = Path(sandbox.__file__).parent
SHELL = {
    *("__init__", "server", "httpshell", "eventlog", "config", "hands", "folder"),
    *("ca", "storefiles", "realworks", "jks", "faultfile", "typefile"),
    *("clock", "managementport", "identityfile", "foreground", "tlsendpoints"),
}
EFFECTS = {
    *("asyncio", "aiohttp", "time", "os", "sys", "pathlib", "socket", "secrets"),
    *("threading", "logging", "tempfile", "signal", "cryptography", "concurrent"),
}


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: a relative import"
            yield str(node.module)


@pytest.mark.parametrize("path", sorted(ROOM.glob("*.py")), ids=lambda p: p.stem)
def test_a_module_imports_nothing_else_of_ours(path: Path) -> None:
    ours = [name for name in imported(path) if name.startswith("batch_reenroll")]

    assert [n for n in ours if not n.startswith("batch_reenroll.sandbox.")] == []


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(ROOM.glob("*.py")) if path.stem not in SHELL],
    ids=lambda path: path.stem,
)
def test_the_core_has_no_effects(path: Path) -> None:
    assert EFFECTS & {name.partition(".")[0] for name in imported(path)} == set()


def test_the_core_never_asks_the_clock() -> None:
    calls = {"now", "utcnow", "today", "time", "monotonic", "uuid4", "uuid1"}
    for path in ROOM.glob("*.py"):
        if path.stem in SHELL:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                assert node.func.attr not in calls, f"{path.name}:{node.lineno}"


def test_the_face_exports_what_it_says() -> None:
    assert [name for name in sandbox.__all__ if not hasattr(sandbox, name)] == []
