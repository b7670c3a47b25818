"""``plan --approve``, and what ``run`` demands: an approval, a ticket."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from batch_reenroll.campaign.approved import beyond
from batch_reenroll.campaign.record import Campaign
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.cli.choice import Choice
from batch_reenroll.cli.console import Console
from batch_reenroll.cli.options import FLAGS
from batch_reenroll.cli.signing import trusted_keys
from batch_reenroll.cli.source import PlanSource, Source, operator
from batch_reenroll.cli.wholefile import written_whole
from batch_reenroll.errors import PlanRefused, UsageError
from batch_reenroll.evidence import (
    Approval,
    Signer,
    approve,
    check_approval,
    read_approval,
)
from batch_reenroll.text import visible

F = TypeVar("F", bound=Callable[..., Any])

_MAX_BYTES = 1 << 18


def approve_options(function: F) -> F:
    """Add ``--approve`` and ``--approver``."""
    for option in (
        click.option(
            "--approver",
            metavar="NAME",
            help="With --approve: who approves [default: the certificate's subject, "
            "or the account].",
        ),
        click.option(
            "--approve",
            is_flag=True,
            help="Approve the PLAN.json given, as a second person: signs its digest "
            "with --sign and writes PLAN.json.approval.",
        ),
    ):
        function = option(function)
    return function


def demand_options(function: F) -> F:
    """Add ``--require-approval``, ``--trusted-approver`` and ``--require-ticket``."""
    for option in (
        click.option(
            "--require-ticket",
            is_flag=True,
            envvar="BATCH_REENROLL_REQUIRE_TICKET",
            show_envvar=True,
            help="Refuse where no ticket is named.",
        ),
        click.option(
            "--trusted-approver",
            metavar="FILE",
            multiple=True,
            type=click.Path(path_type=Path, dir_okay=False),
            help="PEM key or certificate that may approve; implies "
            "--require-approval; may be repeated.",
        ),
        click.option(
            "--require-approval",
            is_flag=True,
            envvar="BATCH_REENROLL_REQUIRE_APPROVAL",
            show_envvar=True,
            help="Refuse a plan that nobody else has approved (PLAN.json.approval).",
        ),
    ):
        function = option(function)
    return function


def approval_path(plan: Path) -> Path:
    """Return where the approval of a plan lies."""
    return plan.with_name(f"{plan.name}.approval")


def approve_plan(
    plan: Path, approver: str | None, signer: Signer | None, console: Console
) -> int:
    """Sign the plan's digest and write it beside the plan; return the exit code.

    Raises:
        UsageError: No key, or a file that cannot be read or written.
        PlanRefused: The plan cannot be read to its end, or who approves it is who
            made it or asks for it.
    """
    if signer is None:
        message = "--approve needs the approver's key"
        raise UsageError(message, hint="name it with --sign KEY")
    source = PlanSource(plan)
    name = (approver or signer.subject or operator()).strip()
    text = approve(source.sha256, name, datetime.now(UTC), signer)
    approval = read_approval(text.encode())
    check_approval(
        approval,
        plan_sha256=source.sha256,
        requesters=_requesters(source.draft),
        requester_key="",
        trusted=(),
    )
    place = approval_path(plan)
    with written_whole(place) as file:
        file.write(text)
    _say(approval, source.draft, place, console)
    return 0


def _say(approval: Approval, draft: Campaign, place: Path, console: Console) -> None:
    said = {
        "approval": str(place),
        "plan_sha256": approval.plan_sha256,
        "approver": approval.approver,
        "approved_at": approval.approved_at,
        "key": approval.key_id,
        "command": draft.command_url,
        "manifest": draft.manifest_name,
        "manifest_sha256": draft.manifest_sha256,
        "planned_by": draft.operator,
        "requested_by": draft.purpose.get("requested_by", ""),
        "ticket": draft.purpose.get("ticket", ""),
    }
    if console.as_json:
        console.json(said)
        return
    width = max(map(len, said))
    for name, value in said.items():
        console.data(f"{name.ljust(width)}  {visible(value, 500)}".rstrip())


@dataclass(frozen=True, slots=True, kw_only=True)
class Demands:
    """What must be there before anything is sent.

    Attributes:
        approval: A second person's approval of exactly this plan.
        trusted: Fingerprints of keys that may approve; empty = any.
        ticket: A ticket.
    """

    approval: bool
    trusted: frozenset[str]
    ticket: bool


def demands_from(values: dict[str, Any]) -> Demands:
    """Take the demands out of ``values``.

    Raises:
        UsageError: A trusted approver's file names no key.
    """
    trusted = trusted_keys("--trusted-approver", values.pop("trusted_approver"))
    asked = values.pop("require_approval")
    return Demands(
        approval=asked or bool(trusted),
        trusted=frozenset(trusted),
        ticket=values.pop("require_ticket"),
    )


def authorized(
    source: Source,
    path: Path,
    demands: Demands,
    signer: Signer | None,
    console: Console,
    *,
    departures: Sequence[str] = (),
) -> Campaign:
    """Return the source's draft with its approval, as far as it has one.

    Args:
        source: What is to be carried out.
        path: The manifest or the plan.
        demands: What must be there.
        signer: The key that the run signs with, or None.
        console: For a warning about an approval that was not asked for and is bad.
        departures: Where the run would go beyond what was approved, in words.

    Raises:
        PlanRefused: A demand is not met; the code says which.
    """
    draft = source.draft
    if demands.ticket and not draft.purpose.get("ticket", "").strip():
        message = "the campaign names no ticket"
        hint = "campaign: {ticket: …} in the manifest; a bare CSV has none"
        raise PlanRefused(message, code="ticket_missing", hint=hint)
    try:
        approval = _approval(source, path, demands, signer)
        refuse_departures(departures)
    except PlanRefused as exc:
        if demands.approval:
            raise
        if exc.code != "approval_missing":
            console.warn(f"the plan counts as not approved: {exc.message}")
        return draft
    return replace(draft, purpose={**draft.purpose, **_as_purpose(approval)})


def refuse_departures(departures: Sequence[str]) -> None:
    """Raise :class:`PlanRefused` where a run goes beyond what was approved."""
    if departures:
        message = f"beyond what was approved: {'; '.join(departures)}"
        hint = (
            "a run may be slower than its approved plan, stop sooner and prove more; "
            "for anything else make a plan so, and have that approved"
        )
        raise PlanRefused(message, code="approval_exceeded", hint=hint)


def settings_departures(approved: RunSettings, wanted: RunSettings) -> list[str]:
    """Return in words which settings go beyond what was approved."""
    return [
        f"{FLAGS.get(name, name)} {_word(theirs)} (approved: {_word(ours)})"
        for name, ours, theirs in beyond(approved, wanted)
    ]


def choice_departures(
    choice: Choice, *, accept_stale: bool, has_waves: bool
) -> list[str]:
    """Return in words which rows would go that were not approved to go so."""
    found = [f"--ignore {code}" for code in sorted(choice.ignore)]
    if choice.only_wave is not None:
        found.append(f"--only-wave {choice.only_wave}: the waves before it left out")
    if choice.limit is not None and has_waves:
        found.append(f"--limit {choice.limit}: waves with rows left out")
    if accept_stale:
        found.append("--accept-stale: things are not as the approver saw them")
    return found


def _word(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _as_purpose(approval: Approval) -> Mapping[str, str]:
    """Return what the genesis says of an approval: all of it, to be checked again."""
    return {
        "approved_by": approval.approver,
        "approved_at": approval.approved_at,
        "approval_key": approval.key_id,
        "approval": approval.text,
    }


def _approval(
    source: Source, path: Path, demands: Demands, signer: Signer | None
) -> Approval:
    if not isinstance(source, PlanSource):
        message = "a manifest cannot be approved, only a plan that was made of it"
        hint = (
            "batch-reenroll plan MANIFEST -o PLAN.json; "
            "batch-reenroll plan --approve PLAN.json --sign KEY; "
            "batch-reenroll run PLAN.json"
        )
        raise PlanRefused(message, code="approval_missing", hint=hint)
    approval = read_approval(_content(approval_path(path)))
    check_approval(
        approval,
        plan_sha256=source.sha256,
        requesters=(*_requesters(source.draft), operator()),
        requester_key="" if signer is None else signer.key_id,
        trusted=demands.trusted,
    )
    return approval


def _requesters(draft: Campaign) -> tuple[str, ...]:
    return (draft.purpose.get("requested_by", ""), draft.operator)


def _content(place: Path) -> bytes:
    try:
        with place.open("rb") as file:
            return file.read(_MAX_BYTES)
    except FileNotFoundError as exc:
        message = f"the plan is not approved: there is no {place}"
        hint = "batch-reenroll plan --approve PLAN.json --sign KEY"
        raise PlanRefused(message, code="approval_missing", hint=hint) from exc
    except OSError as exc:
        why = exc.strerror or type(exc).__name__
        message = f"the approval {place} cannot be read: {why}"
        raise PlanRefused(message, code="approval_unreadable") from exc
