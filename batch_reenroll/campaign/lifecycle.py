"""The life cycle of a row: every state, and every move that is allowed.

Rule 1: everything that decides whether a row may move stands in :data:`MOVES`. The
ledger repeats it as a table and a trigger (``ledger/schema.py``), so that a bug above
cannot write what this table forbids.

::

    pending ──intent──▶ submitting ──204──▶ submitted ─┐
       ▲                    │  no answer               ├─▶ queued ─▶ running ─┐
       └── not carried out ─┤                          │     job ended well   │
       ▲                    ▼                          ▼                      ▼
       └─ confirmed absent in_doubt ─── job found ─────┴──────────────▶ verifying

A ``retry`` takes a row back from its outcome: to ``pending``, or, where a job of it may
still be with Command, to ``in_doubt``, from where a job that still waits is withdrawn
(``withdrawing``) before the row is sent again. A stop that asks for it withdraws
waiting jobs in the same way, and their rows end ``cancelled``.

Any of the states on the right may be skipped: a sweep that first sees a job when it
has ended moves the row straight to its end. ``submitting`` and ``in_doubt`` are the
two in which a POST may or may not have reached Command; nothing but a look at
Command's own lists leads out of ``in_doubt``.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class State(StrEnum):
    """Where a row stands: eight open states and the twelve outcomes."""

    PENDING = "pending"
    SUBMITTING = "submitting"
    IN_DOUBT = "in_doubt"
    SUBMITTED = "submitted"
    QUEUED = "queued"
    RUNNING = "running"
    VERIFYING = "verifying"
    WITHDRAWING = "withdrawing"
    # outcomes, in the order of design.md section 2
    VERIFIED = "verified"
    SUCCEEDED = "succeeded"
    WARNING = "warning"
    FAILED = "failed"
    REJECTED = "rejected"
    SKIPPED_ALREADY_ROTATED = "skipped_already_rotated"
    SKIPPED_PREFLIGHT = "skipped_preflight"
    SKIPPED_EXCLUDED = "skipped_excluded"
    NOT_ATTEMPTED = "not_attempted"
    STALLED = "stalled"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"


S = State

#: The job is Command's to run: what counts against ``max_in_flight``.
WITH_COMMAND = frozenset(
    {S.SUBMITTING, S.IN_DOUBT, S.SUBMITTED, S.QUEUED, S.RUNNING, S.WITHDRAWING}
)

#: States in which the row holds its store: no other row of that store may start.
UNRESOLVED = WITH_COMMAND | {S.VERIFYING}

#: Not an end.
OPEN = UNRESOLVED | {S.PENDING}

#: Ends of rows of which a job may still be with Command.
ADRIFT = frozenset({S.STALLED, S.UNKNOWN})

#: The twelve outcomes, in the order in which people list them.
OUTCOMES = tuple(state for state in State if state not in OPEN)

_JOB_ENDS = frozenset(
    {S.VERIFYING, S.VERIFIED, S.SUCCEEDED, S.WARNING, S.FAILED, S.STALLED, S.UNKNOWN}
)

#: From each state, where a row may go. What is not here is :class:`IllegalMove`.
MOVES: Mapping[State, frozenset[State]] = {
    S.PENDING: frozenset(
        {
            S.SUBMITTING,
            S.REJECTED,
            S.FAILED,
            S.SKIPPED_ALREADY_ROTATED,
            S.SKIPPED_PREFLIGHT,
            S.SKIPPED_EXCLUDED,
            S.NOT_ATTEMPTED,
            S.CANCELLED,
        }
    ),
    # PENDING: nothing was carried out (not sent, 429); the row may be tried again.
    S.SUBMITTING: frozenset({S.SUBMITTED, S.IN_DOUBT, S.PENDING, S.REJECTED, S.FAILED}),
    # PENDING: a look past the fence after the settle time found no job.
    # WITHDRAWING: a retried row's old job still waits; only then is it taken back.
    S.IN_DOUBT: frozenset({S.PENDING, S.QUEUED, S.RUNNING, S.WITHDRAWING}) | _JOB_ENDS,
    # PENDING, CANCELLED: the job is gone from both lists. QUEUED: the account may not
    # take jobs back, so it is followed on.
    S.WITHDRAWING: frozenset({S.PENDING, S.QUEUED, S.RUNNING, S.CANCELLED}) | _JOB_ENDS,
    S.SUBMITTED: frozenset({S.QUEUED, S.RUNNING}) | _JOB_ENDS,
    # SUBMITTED: the job that was adopted turned out to be another store's.
    # WITHDRAWING: a person stopped the campaign and wants waiting jobs taken back.
    S.QUEUED: frozenset({S.RUNNING, S.SUBMITTED, S.WITHDRAWING}) | _JOB_ENDS,
    S.RUNNING: frozenset({S.SUBMITTED, S.QUEUED}) | _JOB_ENDS,
    # WARNING: the store was rotated, but what it holds now is known to be wrong.
    S.VERIFYING: frozenset({S.VERIFIED, S.SUCCEEDED, S.WARNING, S.UNKNOWN}),
    # An outcome is an end, unless a person asks for a retry (:data:`RETRIES`).
    **{outcome: frozenset() for outcome in OUTCOMES},
}

#: Where ``retry`` may put a row. What may still be with Command is looked for first;
#: only an ``unknown`` row whose job is known to have ended may go on at once.
RETRIES: Mapping[State, frozenset[State]] = {
    S.FAILED: frozenset({S.PENDING}),
    S.REJECTED: frozenset({S.PENDING}),
    # VERIFYING: only what serves the new certificate was wrong; nothing is sent.
    S.WARNING: frozenset({S.PENDING, S.VERIFYING}),
    S.NOT_ATTEMPTED: frozenset({S.PENDING}),
    S.CANCELLED: frozenset({S.PENDING}),
    S.SKIPPED_EXCLUDED: frozenset({S.PENDING}),
    S.STALLED: frozenset({S.IN_DOUBT}),
    S.UNKNOWN: frozenset({S.IN_DOUBT, S.PENDING}),
}


def is_legal(origin: State, target: State) -> bool:
    """Return whether a row may move from ``origin`` to ``target``."""
    return target in MOVES[origin] or target in RETRIES.get(origin, ())


def reported_outcome(state: State) -> State:
    """Return the outcome that a report shows for a row that stands at ``state``.

    A report written before the campaign's end must still give every row exactly one
    outcome: what was never sent is ``not_attempted``, what is with Command is
    ``unknown`` (its reason says ``in_flight``; `resume` goes on with it).
    """
    if state is S.PENDING:
        return S.NOT_ATTEMPTED
    return S.UNKNOWN if state in UNRESOLVED else state
