"""``evidence verify``, signatures and approvals, as their users meet them."""

from __future__ import annotations

import getpass
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from acceptance.paper import write_manifest
from acceptance.served import QUICK, Row, Served
from acceptance.terminal import Done, Terminal
from unit.evidence.signing import (
    PASSPHRASE,
    certificate,
    certificate_pem,
    key,
    p12,
    pem,
    public_pem,
    signer,
)

_SECRET = PASSPHRASE.decode()
_MANIFEST = """\
version: 1
campaign: {{name: q4, {ticket}requested_by: pki-team, approved_by: cab}}
rows_from: stores.csv
"""


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of keys: ours, the approver's, and what is known of both."""
    folder = tmp_path_factory.mktemp("keys")
    files = {
        "run.pem": pem(key("ed25519")),
        "run.pub": public_pem(key("ed25519")),
        "locked.pem": pem(key("p256"), PASSPHRASE),
        "locked.pub": public_pem(key("p256")),
        "identity.p12": p12(key("p256"), "Q. Auditor"),
        "identity.crt": certificate_pem(certificate(key("p256"), "Q. Auditor")),
        "officer.pem": pem(key("p384")),
        "officer.pub": public_pem(key("p384")),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def report(ended: Terminal, tmp_path: Path) -> Path:
    """A copy of the campaign's report folder."""
    copy = tmp_path / "c"
    shutil.copytree(ended.folder / "reports" / "c", copy)
    return copy


def verify(terminal: Terminal, *words: str | Path) -> Done:
    return terminal.run("evidence", "verify", *words)


def found_in(done: Done) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(done.out)
    return said


def test_a_report_as_it_was_written_holds(bare: Terminal, report: Path) -> None:
    done = verify(bare, report).expect(0)
    assert done.out.startswith("the evidence of c holds\n")
    assert "not signed" in done.out
    said = found_in(verify(bare, report, "--output=json").expect(0))
    assert (said["ok"], said["rows"], said["faults"]) == (True, 3, [])


def test_a_changed_folder_exits_11_and_says_every_place(
    bare: Terminal, report: Path
) -> None:
    journal = report / "events.jsonl"
    lines = journal.read_bytes().split(b"\n")
    lines[2] = lines[2].replace(b'"at":"2', b'"at":"1')
    journal.write_bytes(b"\n".join(lines))
    (report / "junit.xml").unlink()
    (report / "more.csv").touch()
    done = verify(bare, report).expect(11)
    for said in (
        "events.jsonl:3: the line was changed",
        "junit.xml: the file is missing",
        "more.csv: a file that evidence.json does not list",
        "does not hold: 4 faults",
    ):
        assert said in done.out
    faults = found_in(verify(bare, report, "--output=json").expect(11))["faults"]
    changed = next(f for f in faults if f["code"] == "line_changed")
    assert (changed["file"], changed["line"]) == ("events.jsonl", 3)
    assert len(changed["expected"]) == len(changed["found"]) == 64


def test_what_is_no_plain_file_is_a_fault_and_is_not_followed(
    bare: Terminal, report: Path
) -> None:
    (report / "report.md").rename(report.parent / "elsewhere.md")
    (report / "report.md").symlink_to(report.parent / "elsewhere.md")
    (report / "junit.xml").unlink()
    os.mkfifo(report / "junit.xml")
    (report / "folder").mkdir()
    faults = found_in(verify(bare, report, "--output=json").expect(11))["faults"]
    assert [(f["code"], f["file"]) for f in faults] == [
        ("file_unreadable", "junit.xml"),
        ("file_unreadable", "report.md"),
        ("file_added", "folder"),
    ]


@pytest.mark.parametrize("place", ["nowhere", "m.csv"])
def test_what_is_no_folder_exits_2(bare: Terminal, place: str) -> None:
    (bare.folder / "m.csv").touch()
    done = verify(bare, place).expect(2)
    assert "is no report folder" in done.err
    assert "hint: " in done.err


def test_an_empty_folder_does_not_hold(bare: Terminal) -> None:
    (bare.folder / "empty").mkdir()
    assert "file_missing" in verify(bare, "empty").expect(11).out


def test_a_report_is_signed_and_pinned(ended: Terminal, keys: Path) -> None:
    folder = ended.folder / "reports" / "c"
    ended.run("report", "c", "--sign", keys / "run.pem").expect(0)
    assert "(not pinned)" in verify(ended, folder).expect(0).out
    pinned = verify(ended, folder, "--trusted-key", keys / "run.pub").expect(0)
    assert f"signed by {signer().key_id}\n" in pinned.out
    other = verify(ended, folder, "--trusted-key", keys / "officer.pub").expect(11)
    assert "signer_untrusted" in other.out
    # Written again without a key, the old signature is not left to say otherwise.
    again = ended.run("report", "c").expect(0)
    assert "without --sign" in again.err
    assert "not signed" in verify(ended, folder).expect(0).out
    verify(ended, folder, "--trusted-key", keys / "run.pub").expect(11)


def test_an_identity_signs_and_its_certificate_is_pinned(
    ended: Terminal, keys: Path
) -> None:
    words = ("report", "c", "--sign", keys / "identity.p12", "--reports=signed")
    named = ("--sign-passphrase-env", "SOME_NAME")
    ended.run(*words, *named, env={"SOME_NAME": _SECRET}).expect(0)
    flag = ("--trusted-cert", keys / "identity.crt")
    said = found_in(verify(ended, "signed/c", *flag, "--output=json").expect(0))
    assert said["signed_by"] == {
        "key": signer("p256").key_id,
        "subject": "CN=Q. Auditor",
        "pinned": True,
    }
    for path in (ended.folder / "signed" / "c").iterdir():
        assert _SECRET.encode() not in path.read_bytes()
        assert b"PRIVATE KEY" not in path.read_bytes()


@pytest.mark.parametrize(
    ("name", "secret", "why"),
    [
        ("locked.pem", "", "it is encrypted"),
        ("locked.pem", "wrong-hunter3", "the passphrase is wrong"),
        ("identity.p12", "wrong-hunter3", "the passphrase is wrong"),
        ("run.pub", "", "no private key"),
        ("nowhere.pem", "", "No such file"),
    ],
)
def test_a_key_that_cannot_sign_exits_2_before_anything_is_written(
    ended: Terminal, keys: Path, name: str, secret: str, why: str
) -> None:
    before = (ended.folder / "reports" / "c" / "evidence.json").read_bytes()
    env = {"BATCH_REENROLL_SIGN_PASSPHRASE": secret} if secret else {}
    done = ended.run("report", "c", "--sign", keys / name, env=env).expect(2)
    assert why in done.err
    assert "hunter3" not in done.err
    assert (ended.folder / "reports" / "c" / "evidence.json").read_bytes() == before


def test_a_run_signs_its_report(
    terminal: Terminal, command: Served, keys: Path
) -> None:
    write_manifest(terminal.folder / "m.csv", command.rows(1))
    env = {
        "BATCH_REENROLL_SIGN": str(keys / "locked.pem"),
        "BATCH_REENROLL_SIGN_PASSPHRASE": _SECRET,
    }
    terminal.run("run", "m.csv", "--yes", "--campaign=c", *QUICK, env=env).expect(0)
    pin = ("--trusted-key", keys / "locked.pub")
    verify(terminal, "reports/c", *pin).expect(0)
    everything = [p for p in terminal.folder.rglob("*") if p.is_file()]
    assert not [p for p in everything if _SECRET.encode() in p.read_bytes()]


# -- approvals ---------------------------------------------------------------------


def planned(
    terminal: Terminal, rows: list[Row], *, ticket: str = "ticket: CHG0042, "
) -> Path:
    """Return a plan of a manifest that says who asks, and for which ticket."""
    write_manifest(terminal.folder / "stores.csv", rows)
    manifest = terminal.folder / "m.yaml"
    manifest.write_text(_MANIFEST.format(ticket=ticket))
    plan = terminal.folder / "plan.json"
    terminal.run("plan", manifest, "-o", plan, *QUICK).expect(0)
    return plan


def approve(terminal: Terminal, plan: Path, key_file: Path, name: str) -> Done:
    words = ("--approve", plan, "--sign", key_file, "--approver", name)
    return terminal.run("plan", *words)


def test_an_approved_plan_runs_and_its_evidence_says_by_whom(
    terminal: Terminal, command: Served, keys: Path
) -> None:
    rows = command.rows(2)
    plan = planned(terminal, rows)
    bare = Terminal(folder=terminal.folder)
    said = approve(bare, plan, keys / "officer.pem", "c.officer").expect(0)
    assert signer("p384").key_id in said.out
    assert "CHG0042" in said.out
    words = ("--require-ticket", "--trusted-approver", keys / "officer.pub")
    sign = ("--sign", keys / "run.pem")
    terminal.run("run", plan, "--yes", "--campaign=c", *words, *sign).expect(0)
    command.assert_one_job_each(rows)
    evidence = json.loads((terminal.folder / "reports/c/evidence.json").read_text())
    assert evidence["approved_by"] == "c.officer"
    assert evidence["approval_key"] == signer("p384").key_id
    pins = ("--trusted-approver", keys / "officer.pub", "--trusted-key")
    held = verify(bare, "reports/c", *pins, keys / "run.pub").expect(0)
    assert "approved by c.officer at " in held.out
    assert "not pinned" not in held.out
    page = (terminal.folder / "reports/c/report.html").read_text()
    assert "Approval signed with" in page


def test_a_plan_that_is_not_approved_as_demanded_is_refused(
    terminal: Terminal, command: Served, keys: Path
) -> None:
    plan = planned(terminal, command.rows(1), ticket="")
    place = plan.with_name("plan.json.approval")
    before = command.posts()

    def refused(code: str, *words: str | Path, what: Path = plan) -> None:
        json_log = ("--log-format=json", "--yes")
        done = terminal.run("run", what, *words, *json_log).expect(4)
        assert json.loads(done.err.splitlines()[-1])["code"] == code

    refused("ticket_missing", "--require-ticket")
    refused("approval_missing", "--require-approval")
    manifest = terminal.folder / "m.yaml"
    refused("approval_missing", "--require-approval", what=manifest)
    approve(terminal, plan, keys / "officer.pem", "c.officer").expect(0)
    approved = place.read_bytes()
    wrong_key = ("--trusted-approver", keys / "run.pub")
    refused("approval_untrusted", *wrong_key)
    same_key = ("--sign", keys / "officer.pem")
    refused("approval_same_person", "--require-approval", *same_key)
    place.write_bytes(approved.replace(b"c.officer", b"b.officer"))
    refused("approval_signature", "--require-approval")
    place.write_bytes(b"{}")
    refused("approval_unreadable", "--require-approval")
    place.write_bytes(approved)
    assert command.posts() == before


def test_an_approval_is_of_one_digest(
    terminal: Terminal, command: Served, keys: Path
) -> None:
    rows = command.rows(2)
    approve(terminal, planned(terminal, rows), keys / "officer.pem", "o").expect(0)
    plan = planned(terminal, rows[:1])
    done = terminal.run("run", plan, "--require-approval", "--yes").expect(4)
    assert "approval is of another plan" in done.err
    # Where nobody asks for one, it does not count, and that is said.
    done = terminal.run("run", plan, "--yes", "--campaign=c", *QUICK).expect(0)
    assert "the plan counts as not approved" in done.err
    summary = json.loads((terminal.folder / "reports/c/summary.json").read_text())
    assert summary["approval"] is None


def test_who_made_the_plan_does_not_approve_it(
    terminal: Terminal, command: Served, keys: Path
) -> None:
    plan = planned(terminal, command.rows(1))
    for name in (getpass.getuser(), "PKI-team"):
        done = approve(terminal, plan, keys / "officer.pem", name).expect(4)
        assert "who also asks for it" in done.err
    assert not plan.with_name("plan.json.approval").exists()
    done = terminal.run("plan", "--approve", plan).expect(2)
    assert "--sign" in done.err


def test_an_approved_plan_runs_no_bolder_than_it_was_approved(
    terminal: Terminal, command: Served, keys: Path
) -> None:
    plan = planned(terminal, command.rows(2))
    approve(terminal, plan, keys / "officer.pem", "c.officer").expect(0)
    before = command.posts()

    def refused(*words: str) -> str:
        flags = ("--require-approval", "--yes")
        done = terminal.run("run", plan, *flags, *words).expect(4)
        assert "beyond what was approved" in done.err
        return done.err

    said = refused("--rate=101", "--per-orchestrator=9", "--verify=none")
    assert "--rate 101 (approved: 100)" in said
    assert "--per-orchestrator 9 (approved: 8)" in said
    assert "--verify no (approved: yes)" in said
    assert "--settle-time" in refused("--settle-time=0.1")
    assert "--only-wave rest" in refused("--only-wave=rest")
    assert "--accept-stale" in refused("--accept-stale")
    assert "--ignore" in refused("--ignore=template_unknown")
    assert command.posts() == before
    # More careful is another matter.
    careful = ("--rate=50", "--per-orchestrator=1", "--limit=1", "--confirm-waves")
    words = ("--require-approval", "--yes", "--campaign=c", *careful)
    terminal.run("run", plan, *words).expect(0)
    # What was approved binds whoever goes on with it, too.
    again = terminal.run("resume", "c", "--rate=60", "--max-in-flight=501").expect(4)
    assert "--rate 60 (approved: 50)" in again.err
    assert "--max-in-flight 501 (approved: 500)" in again.err
    retried = terminal.run("retry", "c", "--only=failed", "--verify=none").expect(4)
    assert "beyond what was approved" in retried.err


def test_a_bolder_run_of_an_approved_plan_counts_as_not_approved(
    terminal: Terminal, command: Served, keys: Path
) -> None:
    plan = planned(terminal, command.rows(1))
    approve(terminal, plan, keys / "officer.pem", "c.officer").expect(0)
    words = ("--yes", "--campaign=c", "--rate=101")
    done = terminal.run("run", plan, *words).expect(0)
    assert "counts as not approved: beyond what was approved: --rate 101" in done.err
    evidence = json.loads((terminal.folder / "reports/c/evidence.json").read_text())
    assert evidence["approval_key"] == ""
