"""A plan as a file: one JSON document of which every row is one line.

::

    {"plan": {…header…}, "rows": [
    {"row": 1, …},
    {"row": 2, …}
    ], "counts": {"pending": 2}}

The same plan gives the same bytes, so the SHA-256 of the file is the plan's digest,
and any JSON reader can read it, at once or by the line. A plan that is carried out
without ever being a file has the digest of the file that it would be.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.nouns import ReenrollmentRequest
from batch_reenroll.campaign.plan import Verdict
from batch_reenroll.campaign.reasons import Reason
from batch_reenroll.campaign.record import Campaign, PlannedRow
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.errors import PlanRefused

#: What the header's ``format`` says; another number is another format.
FORMAT = "batch-reenroll plan 1"

_HEAD, _FOOT = '{"plan": ', '], "counts": '

#: Fields of a campaign that a plan holds: all that is known before it has a name.
_FIELDS = (
    "command_url",
    "manifest_name",
    "manifest_path",
    "manifest_sha256",
    "operator",
    "host",
    "tool_version",
    "created_at",
)
_PLACE = ("client_machine", "store_path", "store_type", "capability", "orchestrator")


class PlanDigest:
    """The SHA-256 of a plan's lines, fed one by one."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()

    def add(self, line: str) -> None:
        """Take in the next line, with its line end."""
        self._sha256.update(line.encode())

    def hexdigest(self) -> str:
        """Return 64 lower-case hex digits."""
        return self._sha256.hexdigest()


def plan_lines(draft: Campaign, rows: Iterable[PlannedRow]) -> Iterator[str]:
    """Yield the file's lines, each with its line end.

    Args:
        draft: The campaign as planned, without a name; ``manifest_sha256`` is set.
        rows: In manifest order, at least one; read while the lines are yielded.
    """
    counts: Counter[str] = Counter()
    before = f'{_HEAD}{_text(_header(draft))}, "rows": [\n'
    for row in rows:
        counts[row.skipped or State.PENDING] += 1
        yield before
        before = f"{_text(_row(row))},\n"
    yield before.removesuffix(",\n") + "\n"
    yield f"{_FOOT}{_text(dict(sorted(counts.items())))}}}\n"


def digested(
    draft: Campaign, rows: Iterable[PlannedRow], digest: PlanDigest
) -> Iterator[PlannedRow]:
    """Yield ``rows`` as they come, and feed ``digest`` with the file they would be."""
    read: list[PlannedRow] = []

    def tapped() -> Iterator[PlannedRow]:
        for row in rows:
            read.append(row)
            yield row

    for line in plan_lines(draft, tapped()):
        digest.add(line)
        yield from read
        read.clear()


def read_draft(first_line: str) -> Campaign:
    """Return the campaign that a plan's first line describes; it has no name yet.

    Raises:
        PlanRefused: It is no plan, or one of a later version.
    """
    head, _, rest = first_line.rpartition(', "rows": [')
    if not head.startswith(_HEAD) or rest.strip():
        raise _unreadable(1)
    try:
        document = json.loads(head.removeprefix(_HEAD))
        written_as = document["format"]
        draft = Campaign(
            campaign_id="",
            command_url=str(document["command_url"]),
            manifest_name=str(document["manifest_name"]),
            manifest_path=str(document["manifest_path"]),
            manifest_sha256=str(document["manifest_sha256"]),
            operator=str(document["operator"]),
            host=str(document["host"]),
            tool_version=str(document["tool_version"]),
            created_at=str(document["created_at"]),
            purpose=document["purpose"],
            columns=tuple(document["columns"]),
            defaults=document["defaults"],
            settings=RunSettings.from_json(document["settings"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise _unreadable(1) from exc
    if written_as != FORMAT:
        message = f"the plan says {written_as!r}; this version reads {FORMAT!r}"
        raise PlanRefused(message, code="plan_format")
    return draft


def read_rows(lines: Iterable[str]) -> Iterator[PlannedRow]:
    """Yield the rows of the lines that follow the first, to the end of the file.

    Raises:
        PlanRefused: A line cannot be read, or the file ends too early.
    """
    ended = False
    n_rows = 0
    for number, line in enumerate(lines, start=2):
        if ended:
            raise _unreadable(number)
        ended = line.startswith(_FOOT)
        if ended:
            _check_foot(line, n_rows, number)
            continue
        row = _read_row(line, number)
        n_rows += 1
        if row.row_no != n_rows:
            raise _unreadable(number)
        yield row
    if not ended:
        raise _unreadable(n_rows + 2)


def _check_foot(line: str, n_rows: int, number: int) -> None:
    try:
        counts = json.loads("{" + line.removeprefix("], "))["counts"]
        whole = sum(counts.values()) == n_rows
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise _unreadable(number) from exc
    if not whole:
        raise _unreadable(number)


def _read_row(line: str, number: int) -> PlannedRow:
    try:
        value = json.loads(line.rstrip().removesuffix(","))
        skipped = value.get("skipped")
        reason = value.get("reason")
        place = {name: str(value.get(name, "")) for name in _PLACE}
        return PlannedRow(
            row_no=value["row"],
            row_id=value["row_id"],
            cells=tuple(value["cells"]),
            verdict=Verdict(
                request=ReenrollmentRequest(**value["request"]),
                reason=Reason(reason) if reason else None,
                message=value.get("message", ""),
                place_unique=value.get("place_unique", False),
                inventory_scheduled=value.get("inventory_scheduled"),
                cautions=tuple(
                    (Reason(code), str(text))
                    for code, text in value.get("cautions", ())
                ),
                **place,
            ),
            skipped=State(skipped) if skipped else None,
            current_thumbprint=value.get("current_thumbprint"),
            wave=value.get("wave"),
            deadline=value.get("deadline"),
            endpoint=str(value.get("endpoint", "")),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise _unreadable(number) from exc


def _unreadable(line: int) -> PlanRefused:
    message = f"the plan cannot be read at line {line}: it was cut off or edited"
    hint = "make it again: batch-reenroll plan MANIFEST -o PLAN.json"
    return PlanRefused(message, code="plan_unreadable", hint=hint)


def _header(draft: Campaign) -> dict[str, Any]:
    return {
        "format": FORMAT,
        **{name: getattr(draft, name) for name in _FIELDS},
        "purpose": dict(draft.purpose),
        "columns": list(draft.columns),
        "defaults": dict(draft.defaults),
        "settings": draft.settings.as_json(),
    }


def _row(row: PlannedRow) -> dict[str, Any]:
    verdict = row.verdict
    said: Mapping[str, Any] = {
        "skipped": row.skipped,
        "reason": verdict.reason,
        "message": verdict.message,
        **{name: getattr(verdict, name) for name in _PLACE},
        "place_unique": verdict.place_unique,
        "inventory_scheduled": verdict.inventory_scheduled,
        "current_thumbprint": row.current_thumbprint,
        "wave": row.wave,
        "deadline": row.deadline,
        "endpoint": row.endpoint,
        "cautions": [[reason, message] for reason, message in verdict.cautions],
    }
    request = {k: v for k, v in asdict(row.request).items() if v not in (None, {})}
    return {
        "row": row.row_no,
        "row_id": row.row_id,
        "request": request,
        **{name: value for name, value in said.items() if value not in (None, "", [])},
        "cells": list(row.cells),
    }


def _text(value: object) -> str:
    # ASCII, so that half a surrogate pair from Command can be written and read.
    return json.dumps(value)
