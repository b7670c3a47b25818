"""What ``evidence verify`` finds in a folder, and how it says where."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from unit.evidence.making import (
    PURPOSE,
    checked,
    codes,
    faults_of,
    journal_of,
    made,
    rechained,
    resealed,
    sound,
    with_journal,
)
from unit.evidence.signing import certificate, key, p12, public_pem, signer

from batch_reenroll.campaign.lifecycle import OUTCOMES
from batch_reenroll.evidence.document import ALWAYS
from batch_reenroll.evidence.findings import MAX_FAULTS_PER_FILE
from batch_reenroll.evidence.keyfile import public_keys, signer_from
from batch_reenroll.evidence.keys import PublicKey, Signer, fingerprint
from batch_reenroll.evidence.sheets import SIDE
from batch_reenroll.report import FILES, SUCCESS

SCHEMA = json.loads(
    (Path(__file__).parents[3] / "schemas" / "evidence.v1.schema.json").read_text()
)


def events() -> list[dict[str, Any]]:
    return [json.loads(line) for line in journal_of(sound())]


def forged(lines: list[bytes], head: str, **files: bytes) -> dict[str, bytes]:
    """Return a folder whose every digest fits a forged journal."""
    summary = json.loads(sound()["summary.json"])
    new = json.dumps({**summary, "journal_head": head}).encode()
    changed = {**sound(), "summary.json": new, **files}
    return resealed(
        with_journal(changed, lines), journal_head=head, journal_lines=len(lines)
    )


def test_the_evidence_fits_its_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    value = json.loads(sound()["evidence.json"])
    Draft202012Validator(SCHEMA).validate(value)
    assert not Draft202012Validator(SCHEMA).is_valid({**value, "more": 1})
    assert SCHEMA["$id"] == "urn:batch-reenroll:schema:evidence:v1"


def test_what_is_checked_is_what_is_reported() -> None:
    # Files of later versions are in the list, and so checked, where they are there.
    assert {*ALWAYS, "evidence.json"} <= set(FILES)
    assert set(SIDE) == set(map(str, OUTCOMES))
    assert {o for o, name in SIDE.items() if name == "success.csv"} == set(SUCCESS)


def test_a_sound_folder_says_what_it_holds() -> None:
    found, faults = checked(sound())
    assert faults == []
    assert (found.campaign_id, found.n_files, found.n_rows) == ("q4", len(FILES), 28)
    assert found.n_lines == len(journal_of(sound()))
    assert found.signed.by == ""


def test_files_that_are_missing_changed_or_added_are_each_named() -> None:
    files = {**sound(), "report.md": b"all is well", "extra.txt": b""}
    del files["junit.xml"]
    assert codes(faults_of(files)) == [
        ("file_missing", "junit.xml", None),
        ("file_changed", "report.md", None),
        ("file_added", "extra.txt", None),
    ]


def test_a_listed_size_that_is_not_the_file_s_is_found() -> None:
    listed = json.loads(sound()["evidence.json"])["files"]
    files = {name: sound()[name] for name in listed}
    sizes = {
        name: {"sha256": sha256(content).hexdigest(), "bytes": len(content) + 1}
        for name, content in files.items()
    }
    found = faults_of(resealed(sound(), files=sizes))
    assert codes(found) == [("file_size", name, None) for name in sorted(files)]


def test_without_its_list_the_rest_is_checked_all_the_same() -> None:
    files = dict(sound())
    del files["evidence.json"]
    lines = journal_of(files)
    found = codes(faults_of(with_journal(files, [*lines[:4], *lines[5:]])))
    assert ("file_missing", "evidence.json", None) in found
    assert ("lines_missing", "events.jsonl", 5) in found


def test_a_list_that_names_other_folders_is_not_followed() -> None:
    value = json.loads(sound()["evidence.json"])
    entry = {"sha256": "0" * 64, "bytes": 1}
    value["files"]["../../etc/passwd"] = entry
    files = {**sound(), "evidence.json": json.dumps(value).encode()}
    found = codes(faults_of(files))
    assert ("file_missing", "../../etc/passwd", None) in found
    assert ("seal", "evidence.json", None) in found


def test_a_name_that_stands_twice_in_the_list_is_a_fault() -> None:
    text = sound()["evidence.json"].replace(
        b'"version": 1,', b'"version": 1, "host": "x",'
    )
    found = faults_of({**sound(), "evidence.json": text})
    assert any("twice" in fault.message for fault in found)


def test_a_changed_line_is_located_although_every_file_digest_was_made_anew() -> None:
    lines = journal_of(sound())
    at = next(i for i, line in enumerate(lines) if b'"to":"failed"' in line)
    lines[at] = lines[at].replace(b'"to":"failed"', b'"to":"verified"')
    found = codes(faults_of(resealed(with_journal(sound(), lines))))
    assert ("line_changed", "events.jsonl", at + 1) in found
    assert not any(code.startswith("file") for code, _, _ in found)


def test_a_journal_that_was_chained_anew_does_not_fit_the_results() -> None:
    told = events()
    row = next(e["row"] for e in told if e.get("to") == "failed")
    for event in told:
        if event.get("row") == row and event["to"] == "failed":
            event["to"] = "rejected"
    lines, head = rechained(told)
    found = faults_of(forged(lines, head))
    assert ("outcome", "results.csv", row + 1) in codes(found)
    assert {fault.code for fault in found} == {"outcome", "mismatch"}


def test_results_that_were_made_better_are_found_by_the_journal() -> None:
    rows = sound()["results.csv"].decode()
    better = rows.replace(",failed,", ",verified,", 1).encode()
    found = faults_of(resealed({**sound(), "results.csv": better}))
    assert {f.code for f in found} >= {"outcome", "mismatch"}
    (outcome,) = [f for f in found if f.code == "outcome"]
    assert (outcome.expected, outcome.found) == ("failed", "verified")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda e: {**e, "row": 99}, "move_row"),
        (lambda e: {**e, "row": True}, "move_row"),
        (lambda e: {**e, "from": "verified"}, "move_from"),
        (lambda e: {**e, "to": "queued"}, "move_illegal"),
        (lambda e: {**e, "to": "gone"}, "move_state"),
        (lambda e: {**e, "to": ["pending"]}, "move_state"),
        (lambda e: {**e, "event": "campaign_created"}, "second_genesis"),
    ],
)
def test_a_move_that_cannot_have_been_is_located(change: Any, code: str) -> None:
    told = events()
    at = next(i for i, e in enumerate(told) if e["event"] == "move")
    told[at] = change(told[at])
    lines, head = rechained(told)
    assert (code, "events.jsonl", at + 1) in codes(faults_of(forged(lines, head)))


def test_a_genesis_that_says_otherwise_is_found() -> None:
    told = events()
    told[0] = {**told[0], "plan_sha256": "c" * 64, "operator": "somebody", "rows": 40}
    lines, head = rechained(told)
    found = faults_of(forged(lines, head))
    said = {fault.message.split(" ")[0] for fault in found}
    assert {"plan_sha256", "operator", "rows"} <= said
    assert "rows" in {fault.code for fault in found}


@pytest.mark.parametrize("n_rows", [-1, 10**15, "3", None, True])
def test_a_genesis_without_a_number_of_rows_is_found(n_rows: object) -> None:
    told = events()
    told[0] = {**told[0], "rows": n_rows}
    lines, head = rechained(told)
    found = codes(faults_of(forged(lines, head)))
    assert ("genesis_rows", "events.jsonl", 1) in found


def test_while_a_run_is_on_its_exit_code_is_that_of_a_stop() -> None:
    """A report that is written meanwhile says 10, whatever a run before ended with."""
    told = [*events(), {"event": "run_started", "at": "2026-11-23T19:00:00.000Z"}]
    lines, head = rechained(told)
    (fault,) = faults_of(forged(lines, head))
    assert (fault.file, fault.expected, fault.found) == ("summary.json", "10", "7")


@pytest.mark.parametrize("code", [0, 7.0, "7", None])
def test_an_exit_code_that_is_not_the_journal_s_is_found(code: object) -> None:
    summary = json.loads(sound()["summary.json"])
    text = json.dumps({**summary, "exit_code": code}).encode()
    (fault,) = faults_of(resealed({**sound(), "summary.json": text}))
    assert (fault.file, fault.expected, fault.found) == ("summary.json", "7", str(code))


def edited(name: str, change: Any) -> dict[str, bytes]:
    """Return a folder, its digests made anew, with one CSV file's lines changed."""
    lines = sound()[name].decode().splitlines(keepends=True)
    return resealed({**sound(), name: "".join(change(lines)).encode()})


@pytest.mark.parametrize("name", ["success.csv", "failure.csv", "remaining.csv"])
def test_the_three_parts_are_the_whole(name: str) -> None:
    dropped = codes(faults_of(edited(name, lambda lines: lines[:-1])))
    assert [(code, file) for code, file, _ in dropped] == [("row_missing", name)]
    twice = codes(faults_of(edited(name, lambda lines: [*lines, lines[-1]])))
    assert [(code, file) for code, file, _ in twice] == [("rows", name)]
    swapped = codes(faults_of(edited(name, lambda x: [x[0], x[2], x[1], *x[3:]])))
    assert swapped == [("row_differs", name, 2), ("row_differs", name, 3)]


def test_a_row_in_two_parts_is_found() -> None:
    failure = sound()["failure.csv"].decode().splitlines(keepends=True)
    remaining = edited("remaining.csv", lambda lines: [*lines, failure[1]])
    found = codes(faults_of(remaining))
    assert [(code, file) for code, file, _ in found] == [
        ("rows", "remaining.csv")
    ] or found[0][0] == "csv"


def test_a_cell_that_was_changed_in_one_part_is_found() -> None:
    spoilt = edited(
        "failure.csv",
        lambda lines: [lines[0], lines[1].replace("web", "www"), *lines[2:]],
    )
    (fault,) = faults_of(spoilt)
    assert (fault.code, fault.line) == ("row_differs", 2)
    assert fault.message.startswith("alias is not what results.csv says at line")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("RowId", "77"),
        ("CurrentThumbprint", "ff"),
        ("x-outcome", "verified"),
        ("x-message", "well done"),
        ("KeystoreId", ""),
    ],
)
def test_each_cell_that_a_new_run_goes_by_is_held_against_the_results(
    column: str, value: str
) -> None:
    rows = list(csv.reader(io.StringIO(sound()["failure.csv"].decode())))
    rows[3][rows[0].index(column)] = value
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    found = faults_of(resealed({**sound(), "failure.csv": text.getvalue().encode()}))
    assert codes(found) == [("row_differs", "failure.csv", 4)]


@pytest.mark.parametrize(
    "content", [b"", b"\xff\n", b"a,b\n", b'"\n', b"x" * 200_000 + b"\n"]
)
@pytest.mark.parametrize("name", ["results.csv", "failure.csv"])
def test_a_sheet_of_anything_is_a_fault_and_no_crash(name: str, content: bytes) -> None:
    assert name in {f.file for f in faults_of({**sound(), name: content})}
    assert faults_of(resealed({**sound(), name: content}))


@pytest.mark.parametrize("name", ["success.csv", "failure.csv"])
def test_another_header_is_one_fault_and_not_one_for_each_row(name: str) -> None:
    files = edited(name, lambda lines: [lines[0].replace("Alias", "alia"), *lines[1:]])
    assert codes(faults_of(files)) == [("csv_header", name, 1)]


def test_result_columns_of_a_later_version_are_taken_as_they_are() -> None:
    def longer(name: str) -> bytes:
        head, *rows = sound()[name].splitlines()
        return b"\n".join([head + b",later", *(row + b",x" for row in rows), b""])

    more = {name: longer(name) for name in ("results.csv", "success.csv")}
    assert faults_of(resealed({**sound(), **more})) == []


def test_cells_of_several_lines_are_counted_by_the_file_s_lines() -> None:
    rows = list(csv.reader(io.StringIO(sound()["results.csv"].decode())))
    at = rows[0].index("x-note")
    rows[1][at] = "one\ntwo"
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    found = faults_of(resealed({**sound(), "results.csv": text.getvalue().encode()}))
    assert codes(found) == [("row_differs", "success.csv", 2)]
    assert found[0].message.endswith("line 3")


@pytest.mark.parametrize("name", ["summary.json", "evidence.json"])
@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b"[" * 100_000, b"{}", b"1"])
def test_documents_of_anything_are_faults_and_no_crash(
    name: str, content: bytes
) -> None:
    assert name in {f.file for f in faults_of({**sound(), name: content})}


@pytest.mark.parametrize(
    "line",
    [
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        b'{"a":' + b"1" * 5_000 + b"}",
        b'{"a":1.5}',
        b'{"a":9007199254740993}',
        b'{"a":NaN}',
        b'{"a":"\\ud800"}',
        b'{"b":1,"a":1}',
        b'{"a":1,"a":1}',
        b'{ "a":1}',
        b'{"a":"\\u0041"}',
        b'{"a":-0}',
    ],
)
def test_a_line_that_is_not_canonical_is_located(line: bytes) -> None:
    lines = journal_of(sound())
    found = codes(
        faults_of(with_journal(sound(), [*lines[:5], line + b"\n", *lines[5:]]))
    )
    assert ("not_canonical", "events.jsonl", 6) in found


def test_a_file_of_wrong_lines_alone_is_counted_and_not_all_kept() -> None:
    files = with_journal(sound(), [b"x\n"] * 3_000)
    found = [f for f in faults_of(files) if f.file == "events.jsonl"]
    assert len(found) == MAX_FAULTS_PER_FILE


def test_hostile_text_in_a_fault_is_shown_and_not_obeyed() -> None:
    files = {**sound(), "a\x1b[31m\u202e\n.csv": b""}
    (fault,) = faults_of(files)
    assert fault.file == "a\\x1b[31m\\u202e\\n.csv"


# -- signatures ------------------------------------------------------------------------


@cache
def signed(kind: str = "ed25519", number: int = 1) -> Mapping[str, bytes]:
    """Return a report folder that a key of this kind signed."""
    return made(signer=signer(kind, number))


def pinned(*signers: Signer) -> dict[str, PublicKey]:
    keys = [public_keys(signer.public_pem)[0] for signer in signers]
    return {fingerprint(found): found for found in keys}


@pytest.mark.parametrize("kind", ["ed25519", "p256", "rsa2048"])
def test_a_signature_says_who_and_whether_that_is_trusted(kind: str) -> None:
    one, other = signer(kind), signer(kind, 2)
    files = signed(kind)
    assert {"evidence.json.sig", "evidence.pub.pem"} < set(files)
    found, faults = checked(files)
    assert faults == []
    assert (found.signed.by, found.signed.is_pinned) == (one.key_id, False)
    found, faults = checked(files, trusted=pinned(other, one))
    assert faults == []
    assert found.signed.is_pinned
    _, faults = checked(files, trusted=pinned(other))
    assert codes(faults) == [("signer_untrusted", "evidence.json.sig", None)]


def test_a_forger_without_the_key_is_found_by_the_signature() -> None:
    """Every digest, chain and seal made anew: only the signature tells."""
    told = events()
    told.insert(-1, {**told[-1], "event": "note"})
    lines, head = rechained(told)
    files = forged(lines, head)
    assert faults_of(files) == []
    signature = {
        name: content for name, content in signed().items() if name not in files
    }
    found = codes(faults_of({**files, **signature}))
    assert found == [("signature_wrong", "evidence.json.sig", None)]


def test_a_signature_that_was_taken_away_is_missed() -> None:
    files = dict(signed())
    del files["evidence.json.sig"]
    missing = [("signature_missing", "evidence.json.sig", None)]
    assert codes(faults_of(files)) == missing
    _, faults = checked(sound(), trusted=pinned(signer()))
    assert codes(faults) == missing


def test_a_forger_with_a_key_of_their_own_is_found_by_the_pin() -> None:
    files = signed("ed25519", 2)
    assert faults_of(files) == []
    _, faults = checked(files, trusted=pinned(signer()))
    assert codes(faults) == [("signer_untrusted", "evidence.json.sig", None)]


def test_a_signature_without_its_key_needs_a_pin() -> None:
    files = dict(signed())
    del files["evidence.pub.pem"]
    assert codes(faults_of(files)) == [("signer_missing", "evidence.json.sig", None)]
    found, faults = checked(files, trusted=pinned(signer()))
    assert faults == []
    assert found.signed.is_pinned


def test_an_identity_signs_with_its_certificate() -> None:
    identity = signer_from(p12(key("p256"), "Q. Auditor"), b"hunter2-never-shown")
    files = made(signer=identity)
    assert "evidence.cert.pem" in files
    found, faults = checked(files)
    assert faults == []
    assert found.signed.subject == "CN=Q. Auditor"


def test_a_certificate_that_was_not_valid_is_a_fault() -> None:
    old = certificate(key("p256"), "old", begins=datetime(2001, 1, 1, tzinfo=UTC))
    files = made(signer=Signer(private=key("p256"), certificate=old))
    assert codes(faults_of(files)) == [
        ("certificate_not_valid", "evidence.cert.pem", None)
    ]


@pytest.mark.parametrize("name", ["evidence.json.sig", "evidence.pub.pem"])
@pytest.mark.parametrize("content", [b"", b"junk", public_pem(key("p384"))])
def test_a_signature_of_anything_is_a_fault_and_no_crash(
    name: str, content: bytes
) -> None:
    assert faults_of({**signed(), name: content})


def test_the_purpose_is_held_against_the_genesis() -> None:
    files = resealed(sound(), ticket="CHG9999")
    (fault,) = faults_of(files)
    assert (fault.file, fault.expected) == ("evidence.json", PURPOSE["ticket"])
