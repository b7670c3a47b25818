"""The password stands in nothing that is printed or written."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from acceptance.paper import write_manifest
from acceptance.served import PASSWORD, QUICK, Served
from acceptance.terminal import Terminal

_ALL_LOGGED = ("--log-format=json", "--log-level=debug")


def forms(password: str, user: str) -> set[bytes]:
    """Return the password plain, and as it goes over the wire."""
    pair = base64.b64encode(f"{user}:{password}".encode())
    return {password.encode(), base64.b64encode(password.encode()), pair}


def assert_holds_none(folder: Path, said: str, secrets: set[bytes]) -> None:
    """Fail if a secret stands in what was said or in any file of the folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    for secret in secrets:
        assert secret not in said.encode()
        for path in files:
            assert secret not in path.read_bytes(), path.name


def test_a_campaign_leaves_the_password_nowhere(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(3, broken=1)
    write_manifest(terminal.folder / "m.csv", rows)
    secrets = forms(PASSWORD, command.env["KEYFACTOR_USERNAME"])
    said = ""
    for words in (
        ("run", "m.csv", "--dry-run"),
        ("run", "m.csv", "--yes", "--campaign=c", *_ALL_LOGGED, *QUICK),
        ("status", "--output=json"),
        ("report", "c"),
        ("resume", "c", "--log-level=debug"),
        ("retry", "c", "--only=failed", *_ALL_LOGGED, *QUICK),
        ("config", "show", "--origin"),
    ):
        done = terminal.run(*words)
        said += done.out + done.err
    assert "Denied by policy" in said
    assert_holds_none(terminal.folder, said, secrets)


def test_config_show_names_every_origin_and_hides_the_secret(
    terminal: Terminal,
) -> None:
    done = terminal.run("config", "show", "--origin").expect(0)
    assert "KEYFACTOR_HOSTNAME" in done.out
    assert "KEYFACTOR_PASSWORD" in done.out
    assert PASSWORD not in done.out + done.err
    as_json = terminal.run("config", "show", "--origin", "--output=json").expect(0)
    assert PASSWORD not in as_json.out + as_json.err
    assert json.loads(as_json.out)


def test_a_wrong_password_is_not_repeated(terminal: Terminal, command: Served) -> None:
    write_manifest(terminal.folder / "m.csv", command.rows(1))
    wrong = "Wr0ng-but-secret-all-the-same"
    done = terminal.run("run", "m.csv", "--yes", env={"KEYFACTOR_PASSWORD": wrong})
    secrets = forms(wrong, command.env["KEYFACTOR_USERNAME"])
    assert_holds_none(terminal.folder, done.expect(8).out + done.err, secrets)


def test_a_broken_config_file_is_refused_without_showing_what_it_holds(
    bare: Terminal,
) -> None:
    path = bare.folder / "broken.json"
    path.write_text('{"servers": {"default": {"password": "Sup3r-secret-value"}')
    done = bare.run("config", "show", "--config", path).expect(2)
    assert "broken.json" in done.err
    assert "Sup3r-secret-value" not in done.out + done.err


def test_serve_does_not_repeat_a_password_it_was_given(command: Served) -> None:
    said = command.directory.with_name("command.out").read_text(encoding="utf-8")
    assert "KEYFACTOR_HOSTNAME" in said
    assert PASSWORD not in said
    assert PASSWORD not in (command.directory / "sandbox.log.jsonl").read_text()
