"""What the runner awaits: Command, the ledger and the clock, as Protocols.

Adapters stand in ``command/`` and ``ledger/``; the simulation brings its own clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from batch_reenroll.campaign.certificate import CertificateFacts
from batch_reenroll.campaign.endpoint import Endpoint, Served
from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.nouns import (
    InventoryCertificate,
    JobRecord,
    Orchestrator,
    Page,
    ReenrollmentRequest,
    ScheduledJob,
    Store,
    StoreType,
)
from batch_reenroll.campaign.permissions import Permissions
from batch_reenroll.campaign.preflight import Enrollment
from batch_reenroll.campaign.rows import Move, Note, Row, Waiting
from batch_reenroll.campaign.verdict import Stop, StopRequest


class Clock(Protocol):
    """Time as the runner knows it."""

    def now_utc(self) -> datetime:
        """Return the wall clock, aware, UTC; it may jump."""
        ...

    def monotonic(self) -> float:
        """Return seconds from an arbitrary origin; never goes back.

        Runs at the pace of the event loop's own timers.
        """
        ...


class Observer(Protocol):
    """Is told what happens in a run, once it is durable. Decides nothing.

    Called from the event loop between two awaits: it returns at once, never raises.
    """

    def moved(self, row: Row, move: Move) -> None:
        """Take note of a move; ``row`` is as the move left it."""
        ...

    def noted(self, note: Note) -> None:
        """Take note of something that befell the whole campaign."""
        ...

    def stopping(self, stop: Stop, message: str) -> None:
        """Take note that the run ends early: a first reason, or a graver one."""
        ...


class Unobserved:
    """An :class:`Observer` that looks away."""

    def moved(self, row: Row, move: Move) -> None:
        """See :class:`Observer`."""

    def noted(self, note: Note) -> None:
        """See :class:`Observer`."""

    def stopping(self, stop: Stop, message: str) -> None:
        """See :class:`Observer`."""


class Ledger(Protocol):
    """One campaign's part of the ledger."""

    async def move(self, move: Move) -> None:
        """Write one move and its journal line.

        Durable on return. A cancelled caller does not undo the write: it is waited
        for, however often the caller is cancelled meanwhile.

        Raises:
            IllegalMove: The row does not stand at ``move.origin``, or may not move so.
            StoreInFlight: Another campaign has an unresolved submission for the store.
            LedgerWriteFailed: Nothing was written; no later move will be.
        """
        ...

    async def row(self, row_no: int) -> Row:
        """Return one row."""
        ...

    async def rows(self, row_nos: Sequence[int]) -> Sequence[Row]:
        """Return rows, same order; none is asked for twice."""
        ...

    async def note(self, note: Note) -> None:
        """Write a journal line about the whole campaign; durable on return.

        Raises:
            LedgerWriteFailed: Nothing was written; no later move will be.
        """
        ...

    async def waiting(self, wave: str | None = None) -> Sequence[Waiting]:
        """Return the pending rows, with ``wave`` only that one's.

        The earliest deadline first; rows without one last, in manifest order.
        """
        ...

    async def waiting_order(self, wave: str | None = None) -> Sequence[int]:
        """Return the numbers of the rows of :meth:`waiting`, in its order."""
        ...

    async def waiting_rows(self, row_nos: Sequence[int]) -> Sequence[Waiting]:
        """Return rows by number, in the order given; those left out wait no more."""
        ...

    async def wave_states(self) -> Sequence[tuple[str | None, State, int]]:
        """Return (wave, state, rows) of each wave."""
        ...

    async def wave_events(self) -> Sequence[tuple[str, str]]:
        """Return (event, wave) of what the journal says of waves, in order."""
        ...

    async def last_end(self) -> datetime | None:
        """Return when the last row ended that has ended, or None where none has."""
        ...

    async def sent_since(self, at: datetime) -> Sequence[tuple[str, datetime]]:
        """Return the CA, "" where it is Command's default, and the time of each POST.

        Of all campaigns in the ledger that run on this campaign's Command, since
        ``at``, those left out that Command turned away.
        """
        ...

    async def unresolved(self) -> Sequence[Row]:
        """Return rows that were with Command, or being verified, at the last write."""
        ...

    async def adrift(self) -> Sequence[Row]:
        """Return rows that have ended although a job of theirs may not have."""
        ...

    async def stop_requested(self) -> StopRequest | None:
        """Return the stop that a person asked for from another process, or None."""
        ...


class Sweep(Protocol):
    """One complete read of JobHistory.

    Where the end lies depends on what the server made of the wish for an order, so
    the reader of a page cannot know it: the sweep says when it has seen all.
    """

    async def read(self) -> Page[JobRecord] | None:
        """Return the next page, highest JobHistoryId first; None once all was read.

        A page may be empty, and hold rows that were read before. Pages come newest
        first from a server that sorts, in any order from others. After an error it
        may be called again and goes on where it stood.

        Raises:
            ContractViolation: The list cannot be read whole; a new sweep may do.
            CommandError: As the answer says.
        """
        ...


class Command(Protocol):
    """Keyfactor Command, one method for each thing we ask of it.

    Every method may raise :class:`~batch_reenroll.errors.CommandError` of the kind
    that says what to do next. Reads are retried by nobody below this port. Each call
    has a deadline of its own. On cancellation the request is abandoned: for
    :meth:`submit` that leaves its outcome unknown.
    """

    @property
    def requests(self) -> Mapping[str, int]:
        """Return requests sent so far by kind, the five of ``summary.json``."""
        ...

    @property
    def version(self) -> str:
        """Return Command's product version as its answers show it, "" if none does."""
        ...

    async def ready(self) -> None:
        """Make sure that a request could leave at once: a token is fetched if need be.

        Raises:
            NotSent: No token can be had now.
            NotAuthorised: The token endpoint refuses us.
            ContractViolation: It answers something that is no token.
        """
        ...

    async def submit(self, request: ReenrollmentRequest) -> int:
        """POST one reenrollment; return the 2xx status.

        Raises:
            NotSent: Nothing reached Command; sending again is safe.
            SignInRenewed: 401, not carried out; with another turn it may pass.
            Throttled: Refused and not carried out.
            Refused: Refused for good (4xx).
            NotAuthorised: 401 after one refresh, or 403.
            OutcomeUnknown: It may have been carried out.
        """
        ...

    async def unschedule(self, job_ids: Sequence[str]) -> None:
        """Take jobs back that no orchestrator has begun.

        Safe to repeat. What it does to a job that has begun or is not there is not
        documented; look afterwards.
        """
        ...

    async def scheduled_jobs(
        self, *, page: int, limit: int, agent_id: str | None = None
    ) -> Page[ScheduledJob]:
        """Return one page of reenrollment jobs not yet taken, all or one agent's."""
        ...

    def job_history(
        self,
        *,
        limit: int,
        above: int | None = None,
        agent_id: str | None = None,
        job_ids: Sequence[str] = (),
    ) -> Sweep:
        """Return a read of reenrollment history that misses no row; nothing is sent.

        Args:
            limit: Rows of a page, >= 1; the server may cap it.
            above: Every row with a higher JobHistoryId is wanted, 0 = all; None: only
                the newest rows, some of them, the newest one among them.
            agent_id: Only this orchestrator's, or all.
            job_ids: Only these jobs, at most :data:`MAX_JOB_IDS`, or all.
        """
        ...

    async def inventory(self, store_id: str) -> Sequence[InventoryCertificate]:
        """Return the leaves of one store's inventory as Command last knew it."""
        ...

    async def certificates(
        self, thumbprints: Sequence[str]
    ) -> Sequence[CertificateFacts]:
        """Return what Command knows of certificates, in any order; one request.

        Those that it does not know are left out.

        Args:
            thumbprints: SHA-1, lower-case hex; at most :data:`MAX_THUMBPRINTS`.
        """
        ...

    async def store(self, store_id: str) -> Store | None:
        """Return one store, or None where Command knows none by that id."""
        ...

    async def stores(self, *, page: int, limit: int, query: str = "") -> Page[Store]:
        """Return one page of certificate stores, all or those of a query."""
        ...

    async def store_types(self) -> Sequence[StoreType]:
        """Return all store types."""
        ...

    async def orchestrators(self, *, page: int, limit: int) -> Page[Orchestrator]:
        """Return one page of orchestrators."""
        ...

    async def enrollment(self) -> Enrollment:
        """Return what Command can issue, as far as the account may see it.

        A list that Command refuses or does not have is not known, and no error.
        """
        ...

    async def permissions(self) -> Permissions:
        """Return what the account may do everywhere, in one request.

        Raises nothing: what cannot be read is not known.
        """
        ...


#: Job ids in one JobHistory query: IIS refuses query strings over 2,048 bytes by
#: default, and one percent-encoded `JobId -eq "…" OR ` takes 66.
MAX_JOB_IDS = 25

#: Thumbprints in one query of certificates; each takes 73 bytes of the same 2,048.
MAX_THUMBPRINTS = 25


class Handshakes(Protocol):
    """TLS endpoints, as far as somebody who only shakes hands can tell."""

    async def served(self, endpoint: Endpoint) -> Served:
        """Return which certificate an endpoint serves now, or why that is not known.

        Has a deadline of its own and raises nothing. On cancellation the connection
        is dropped.
        """
        ...
