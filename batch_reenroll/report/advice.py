"""The verdict in one sentence, and what to do next: words derived from counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from batch_reenroll.report.facts import CampaignFacts
from batch_reenroll.report.sets import FAILURE, REMAINING, SUCCESS, words
from batch_reenroll.report.surroundings import time_text
from batch_reenroll.text import parse_time

#: What each exit code says (design.md, section 4).
EXIT_MEANINGS: Mapping[int, str] = {
    0: "every row ended well",
    1: "a fault of the tool itself",
    2: "wrong usage or configuration",
    3: "the manifest is invalid",
    4: "the plan was refused",
    5: "finished, with rows that failed",
    6: "stopped: more failures than the budget allows",
    7: "finished, with rows whose outcome is not proven",
    8: "stopped: Command refused the login or a permission",
    9: "stopped: Command could not be reached",
    10: "stopped by an operator or by the end of a window",
    11: "the evidence does not verify",
    130: "interrupted (SIGINT)",
    143: "ended by a signal (SIGTERM)",
}

#: Exit codes of a run that ended before its time.
_STOPPED = frozenset((1, 2, 3, 4, 6, 8, 9, 10, 130, 143))


class Explains(Protocol):
    """What a reason code means and what a person can do; either may be empty."""

    @property
    def meaning(self) -> str:
        """One sentence."""
        ...

    @property
    def advice(self) -> str:
        """One sentence."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Did it work?

    Attributes:
        kind: ``good``, ``mixed``, ``bad``, ``stopped`` or ``running``.
        answer: Two to five words.
        sentence: The counts behind it, one sentence.
        notes: Further sentences that a reader must not miss; may be empty.
    """

    kind: str
    answer: str
    sentence: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do next; ``command`` may be empty."""

    text: str
    command: str = ""


def total(counts: Mapping[str, int], outcomes: tuple[str, ...]) -> int:
    """Return the rows of all ``outcomes``."""
    return sum(counts.get(outcome, 0) for outcome in outcomes)


def n_of(n: int, noun: str) -> str:
    """Return ``1 row``, ``2,000 rows``."""
    return f"{n:,} {noun}" + ("" if n == 1 else "s")


def verdict(facts: CampaignFacts, counts: Mapping[str, int]) -> Verdict:
    """Return whether the campaign worked, in plain words."""
    kind, answer = _answer(facts, counts)
    return Verdict(
        kind=kind,
        answer=answer,
        sentence=_sentence(counts),
        notes=tuple(_notes(facts, counts)),
    )


def _answer(facts: CampaignFacts, counts: Mapping[str, int]) -> tuple[str, str]:
    good, bad = total(counts, SUCCESS), total(counts, FAILURE)
    waiting = counts.get("not_attempted", 0) + counts.get("cancelled", 0)
    if facts.stop_reason or (facts.exit_code in _STOPPED and facts.finished_at):
        return "stopped", "Stopped before the end"
    if facts.finished_at is None:
        # A code of a stopped run without a reason: killed, or a report of a run that
        # goes on in another process. The ledger cannot tell the two apart.
        stopped = facts.exit_code in _STOPPED
        return ("stopped", "Not finished") if stopped else ("running", "Still running")
    if not bad and not waiting and good:
        return "good", "Yes, it worked"
    if not good:
        return "bad", "No, nothing was rotated"
    return "mixed", "It worked in part"


def _sentence(counts: Mapping[str, int]) -> str:
    rows = sum(counts.values())
    good, bad = total(counts, SUCCESS), total(counts, FAILURE)
    parts = [f"{good:,} of {n_of(rows, 'row')} ended well"]
    if good == rows and rows:
        parts = [f"all {rows:,} rows ended well" if rows > 1 else "the row ended well"]
    details = [
        f"{counts[outcome]:,} {words(outcome)}"
        for outcome in SUCCESS
        if counts.get(outcome)
    ]
    if details:
        parts[0] += f" ({', '.join(details)})"
    if bad:
        parts.append(f"{bad:,} failed or need{'s' if bad == 1 else ''} a look")
    parts.extend(
        f"{n:,} {'was' if n == 1 else 'were'} "
        f"{'left out' if 'excluded' in outcome else words(outcome)}"
        for outcome in REMAINING
        if (n := counts.get(outcome, 0))
    )
    text = ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + parts[-1]
    return text[0].upper() + text[1:] + "."


def _notes(facts: CampaignFacts, counts: Mapping[str, int]) -> list[str]:
    notes = []
    if facts.stop_reason:
        notes.append(f"Why it stopped: {facts.stop_reason}")
    if facts.verify == "none" and counts.get("succeeded"):
        notes.append(
            "Verification was switched off: “succeeded” is the job's own word, "
            "not proof that the new certificate is in the store."
        )
    elif counts.get("succeeded"):
        n = counts["succeeded"]
        notes.append(
            f"{n_of(n, 'row')} succeeded by the job's own word, "
            "but the inventory did not prove it."
        )
    if counts.get("unknown"):
        notes.append(
            f"{n_of(counts['unknown'], 'row')} ended unknown: "
            "the job may have run or not, and a person has to look."
        )
    return notes


def approval_words(facts: CampaignFacts) -> str:
    """Return who approved it, and what that rests on: ``cab (signed …)``."""
    if facts.approval_key:
        at = f" on {time_text(facts.approved_at)}" if facts.approved_at else ""
        return f"{facts.approved_by} (a signed approval of the plan{at})"
    if facts.approved_by:
        return f"{facts.approved_by} (as the manifest says; not signed)"
    return "nobody on record"


def deadline_words(facts: CampaignFacts, counts: Mapping[str, int]) -> str:
    """Return whether the campaign's deadline was kept; "" where it has none."""
    deadline = parse_time(facts.deadline or "")
    ended = parse_time(facts.finished_at or "")
    written = parse_time(facts.written_at)
    if deadline is None or written is None:
        return ""
    n_open = total(counts, (*FAILURE, "not_attempted", "cancelled"))
    if n_open == 0 and ended is not None:
        return "kept" if ended <= deadline else "missed: it ended later"
    if written > deadline:
        return f"missed: {n_of(n_open, 'row')} did not end well by then"
    return f"{n_of(n_open, 'row')} still to be done by then"


def next_steps(facts: CampaignFacts, counts: Mapping[str, int]) -> list[Step]:
    """Return what to do next, in order, n >= 1."""
    steps: list[Step] = []
    if facts.resume_command:
        steps.append(
            Step(
                text="Go on where the campaign stands. No store is asked twice.",
                command=facts.resume_command,
            )
        )
    steps.extend(_looks(counts))
    bad = total(counts, FAILURE)
    if bad:
        steps.append(
            Step(
                text="Mend the causes that are listed, then run failure.csv again "
                f"({n_of(bad, 'row')}). It is a ready manifest, and a store that was "
                "rotated after all is recognised and skipped.",
                command="batch-reenroll run failure.csv",
            )
        )
    left = total(counts, REMAINING)
    if left and not facts.resume_command:
        steps.append(
            Step(
                text=f"Run the {n_of(left, 'row')} that nothing was done for, "
                "when they are wanted.",
                command="batch-reenroll run remaining.csv",
            )
        )
    if not steps:
        steps.append(Step(text="Nothing is left to do. Keep this folder as evidence."))
    return steps


def _looks(counts: Mapping[str, int]) -> list[Step]:
    steps = []
    if n := counts.get("unknown", 0):
        steps.append(
            Step(
                text=f"Look at the {n_of(n, 'store')} marked unknown in Command (job "
                "history, then inventory) before running anything for them again."
            )
        )
    if n := counts.get("stalled", 0):
        steps.append(
            Step(
                text=f"Check the orchestrators of the {n_of(n, 'row')} marked stalled: "
                "their jobs may still wait in Command, or still end."
            )
        )
    return steps
