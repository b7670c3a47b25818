"""The examiner: rows whose inventory shows a new certificate, until their level stands.

Certificates are read in batches: a row waits for others until a query is full, a poll
interval has passed, or no other row is left that could join. What Command will not
show holds rows at a lower level and fails none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from batch_reenroll.campaign.certificate import CertificateFacts
from batch_reenroll.campaign.endpoint import Endpoint
from batch_reenroll.campaign.levels import Evidence, Standing, Why, assess, record
from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.nouns import InventoryCertificate
from batch_reenroll.campaign.reasons import Reason
from batch_reenroll.campaign.rows import Decision, Row
from batch_reenroll.campaign.verdict import Stop
from batch_reenroll.errors import (
    CommandError,
    ContractViolation,
    NotAuthorised,
    Refused,
)
from batch_reenroll.runner.context import Context, Tracked, happens
from batch_reenroll.runner.ports import MAX_THUMBPRINTS, Handshakes
from batch_reenroll.text import visible

#: Handshakes at one time: each is a connection to somebody else's service.
_SHAKES = 16

#: Answers that make no sense before no more certificates are asked for: one may be a
#: proxy's own.
_STRIKES = 3

#: Each handshake waits so much longer than the one before, up to so many poll
#: intervals: services are reloaded late, but some time.
_LONGER, _LONGEST = 1.5, 6.0

_FORBIDDEN = 403


@dataclass(slots=True)
class _Found:
    """A row with its new certificate, in monotonic seconds.

    Attributes:
        since_s: When it began to wait for others.
        deadline_s: When what is not known by then is given up.
    """

    tracked: Tracked
    certificate: InventoryCertificate
    since_s: float
    deadline_s: float

    @property
    def row(self) -> Row:
        return self.tracked.row

    @property
    def baseline(self) -> CertificateFacts | None:
        """What an earlier attempt knew of the certificate that was replaced first."""
        said = (self.row.verification or {}).get("before")
        return CertificateFacts.from_json(said) if said else None

    @property
    def thumbprints(self) -> frozenset[str]:
        """The certificates to read."""
        old = None if self.baseline else self.row.thumbprint_before
        return frozenset({self.certificate.thumbprint, *([old] if old else ())})


@dataclass(slots=True)
class Examiner:
    """Rows that wait for a look at their certificates."""

    ctx: Context
    handshakes: Handshakes | None = None
    _waiting: list[_Found] = field(default_factory=list)
    _unread: Why | None = None
    _strikes: int = 0
    _rests_until_s: float = 0.0

    def add(self, tracked: Tracked, certificate: InventoryCertificate) -> None:
        """Take over a row whose inventory shows ``certificate``."""
        now_s = self.ctx.clock.monotonic()
        deadline_s = now_s + self.ctx.settings.verify_timeout_s
        self._waiting.append(_Found(tracked, certificate, now_s, deadline_s))
        self.ctx.notify()

    async def run(self) -> None:
        """Read batches as they fill; never returns, ends by cancellation."""
        shakes = asyncio.Semaphore(_SHAKES)
        async with asyncio.TaskGroup() as tasks:
            while True:
                change = self.ctx.change
                wait_s = self._wait_s()
                if wait_s is not None and wait_s <= 0:
                    batch = self._batch()
                    tasks.create_task(self._examine(batch, shakes), name="examine")
                    continue
                await happens(change, wait_s)

    def _wait_s(self) -> float | None:
        """Return how long the next batch may still grow; None where none waits."""
        if not self._waiting:
            return None
        now_s = self.ctx.clock.monotonic()
        if now_s < self._rests_until_s and not self._unread:
            return self._rests_until_s - now_s
        is_all = len(self._waiting) >= len(self.ctx.rows) and not self.ctx.is_feeding
        if self._unread or is_all or len(self._waiting) >= MAX_THUMBPRINTS // 2:
            return 0.0
        # A moment, not an age: what is left of an age may be too short to ever pass.
        due_s = self._waiting[0].since_s + self.ctx.settings.poll_interval_s
        return due_s - now_s

    def _batch(self) -> list[_Found]:
        """Take the rows of one query."""
        batch: list[_Found] = []
        thumbprints: frozenset[str] = frozenset()
        for found in self._waiting:
            more = thumbprints | found.thumbprints
            if len(more) > MAX_THUMBPRINTS:
                break
            batch.append(found)
            thumbprints = more
        del self._waiting[: len(batch)]
        return batch

    async def _examine(self, batch: list[_Found], shakes: asyncio.Semaphore) -> None:
        known = await self._read(batch)
        if known is None:
            return
        async with asyncio.TaskGroup() as tasks:
            for found in batch:
                tasks.create_task(self._one(found, known, shakes), name="examine one")

    async def _read(self, batch: list[_Found]) -> Mapping[str, CertificateFacts] | None:
        """Return the certificates by thumbprint; None where the batch must wait."""
        if self._unread is not None:
            return {}
        wanted = sorted(frozenset().union(*(found.thumbprints for found in batch)))
        try:
            facts = await self.ctx.command.certificates(wanted)
        except NotAuthorised as exc:
            if exc.status != _FORBIDDEN:
                self.ctx.request_stop(Stop.NOT_AUTHORISED, exc.message)
                return None
            await self._go_without(exc)
        except (Refused, ContractViolation) as exc:
            self._strikes += 1
            if isinstance(exc, Refused) or self._strikes >= _STRIKES:
                await self._go_without(exc)
        except CommandError:
            return self._later(batch)
        else:
            self._strikes = 0
            return {one.thumbprint: one for one in facts}
        return {}

    async def _go_without(self, exc: CommandError) -> None:
        if self._unread is None:
            self._unread = Why.CERTIFICATES_UNREADABLE
            what = "certificates are not compared"
            await self.ctx.go_without("certificates_unread", what, exc.message)

    def _later(self, batch: list[_Found]) -> Mapping[str, CertificateFacts] | None:
        """Put the batch back, unless one of its rows has waited long enough."""
        now_s = self.ctx.clock.monotonic()
        if any(now_s >= found.deadline_s for found in batch):
            return {}
        self._rests_until_s = now_s + self.ctx.settings.poll_interval_s
        self._waiting = [*batch, *self._waiting]
        self.ctx.notify()
        return None

    async def _one(
        self,
        found: _Found,
        known: Mapping[str, CertificateFacts],
        shakes: asyncio.Semaphore,
    ) -> None:
        row = found.row
        is_read = bool(known)
        evidence = Evidence(
            request=row.request,
            after=known.get(found.certificate.thumbprint),
            before=found.baseline or known.get(row.thumbprint_before or ""),
            unread=Why.CERTIFICATE_UNKNOWN if is_read else Why.CERTIFICATES_UNREADABLE,
            endpoint=bool(row.endpoint),
            thumbprint_before=row.thumbprint_before,
            thumbprint_after=found.certificate.thumbprint,
        )
        standing = assess(evidence)
        if row.endpoint and standing.finding is None and self.handshakes is not None:
            evidence, standing = await self._shaken(found, evidence, shakes)
        await self.ctx.advance(found.tracked, self._end(found, evidence, standing))

    async def _shaken(
        self, found: _Found, evidence: Evidence, shakes: asyncio.Semaphore
    ) -> tuple[Evidence, Standing]:
        """Shake hands until the endpoint serves the certificate, or time is up."""
        assert self.handshakes is not None  # noqa: S101 - the caller has looked
        clock, factor = self.ctx.clock, 1.0
        endpoint = Endpoint.parse(found.row.endpoint)
        while True:
            async with shakes:
                served = await self.handshakes.served(endpoint)
            evidence = replace(evidence, served=served)
            left_s = found.deadline_s - clock.monotonic()
            if served.thumbprint == evidence.thumbprint_after or left_s <= 0:
                return evidence, assess(evidence)
            await asyncio.sleep(min(left_s, self.ctx.settings.poll_interval_s * factor))
            factor = min(_LONGEST, factor * _LONGER)

    def _end(self, found: _Found, evidence: Evidence, standing: Standing) -> Decision:
        changes: dict[str, Any] = {
            "alias_after": visible(found.certificate.alias, 512),
            "thumbprint_after": found.certificate.thumbprint,
            "not_after_after": found.certificate.not_after,
            "verified_at": self.ctx.clock.now_utc(),
            "verification": record(evidence, standing, endpoint=found.row.endpoint),
        }
        note = {"level": int(standing.level)}
        if standing.finding is not None:
            return Decision(
                target=State.WARNING,
                reason=standing.finding,
                message=visible(standing.message, 2048),
                changes=changes,
                note=note,
            )
        return Decision(
            target=State.VERIFIED, reason=Reason.ROTATED, changes=changes, note=note
        )
