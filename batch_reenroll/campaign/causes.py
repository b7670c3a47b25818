"""When failures are too many to go on: streaks and shares, of any cause or of one.

A *cause* is a reason and a fingerprint: three thousand failures that differ in hosts
and numbers only are one cause.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeAlias

from batch_reenroll.campaign.budget import FAILURES, TRIED
from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.reasons import Reason

#: What failures have in common: reason and fingerprint.
Cause: TypeAlias = tuple[Reason | None, str]

#: Failures that a CA or a template can be the cause of. Silence of an orchestrator and
#: lost answers say nothing of a CA.
AT_THE_CA = frozenset(
    {
        *(Reason.JOB_FAILED, Reason.JOB_WARNING, Reason.REFUSED),
        *(Reason.SAN_LOST, Reason.AUTHORITY_DIFFERS),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerRules:
    """When a breaker opens, and how it closes again. None = this rule does not count.

    Attributes:
        in_a_row: Failures one after another, >= 1, that open it.
        same_cause_in_a_row: The same, all with one reason and one fingerprint.
        share: It opens when the failures *exceed* this share, 0 to 1, of the last
            ``of_last`` rows, once so many have ended.
        same_cause_share: The same, for failures with one reason and one fingerprint.
        of_last: Rows that a share is a share of, >= 1.
        sources: One cause counts only where failures of at least so many sources
            (orchestrators, for a CA's breaker) have it, >= 1.
        reasons: Failures that count; others neither count nor clear. None = all.
        rest_s: Seconds from opening to the first probe, > 0; None = it stays open.
        longest_rest_s: Seconds; each failed probe doubles the rest up to this.
    """

    in_a_row: int | None = 10
    same_cause_in_a_row: int | None = None
    share: Fraction | None = None
    same_cause_share: Fraction | None = None
    of_last: int = 50
    sources: int = 1
    reasons: frozenset[Reason] | None = None
    rest_s: float | None = None
    longest_rest_s: float = 14_400.0

    def rest_after_s(self, failed_probes: int) -> float | None:
        """Return how long to rest after so many failed probes, >= 0, in seconds."""
        if self.rest_s is None:
            return None
        # Beyond 2**64 times the rest, doubling would only overflow.
        doubled_s = self.rest_s * 2.0 ** min(failed_probes, 64)
        return min(doubled_s, max(self.rest_s, self.longest_rest_s))


#: For a CA: its orchestrators may fail each for its own reason; one reason on several
#: of them is the CA's or the template's.
AUTHORITY = BreakerRules(
    in_a_row=None, same_cause_in_a_row=20, sources=2, reasons=AT_THE_CA
)


@dataclass(frozen=True, slots=True)
class Ended:
    """A row that has ended, as a breaker looks at it.

    Attributes:
        row_no: Which row; a probe is told by it.
        outcome, reason: How and why it ended.
        fingerprint: Its message without what differs from row to row.
        source: What one cause may be spread over: for a CA's breaker the
            orchestrator's GUID, for an orchestrator's the CA.
    """

    row_no: int
    outcome: State
    reason: Reason | None
    fingerprint: str = ""
    source: str = ""

    @property
    def failure(self) -> Cause | None:
        """The cause of a failure; None where it is none."""
        failed = self.outcome in FAILURES
        return (self.reason, self.fingerprint) if failed else None


@dataclass(slots=True)
class History:
    """Rows that have ended, as far as the rules look back."""

    rules: BreakerRules
    _in_a_row: int = 0
    _alike: int = 0
    _sources: set[str] = field(default_factory=set)
    _suspects: set[str | None] = field(default_factory=set)
    _last: deque[tuple[Cause | None, str]] = field(default_factory=deque)

    def counts(self, row: Ended) -> bool:
        """Return whether the row says anything: it was tried, its failure counts."""
        reasons = self.rules.reasons
        known = row.failure is None or reasons is None or row.reason in reasons
        return known and row.outcome in TRIED

    def forget(self) -> None:
        """Begin anew."""
        self._in_a_row = self._alike = 0
        self._sources.clear()
        self._suspects.clear()
        self._last.clear()

    @property
    def suspects(self) -> frozenset[str | None]:
        """The sources of the failures in a row; None among them: no source's fault."""
        return frozenset(self._suspects)

    def add(self, row: Ended) -> str | None:
        """Count a row that counts; return why it is one failure too many, or None.

        A pick-up timeout is one too many by itself: nothing was taken for so long that
        feeding on would only lengthen the queue.
        """
        cause = row.failure
        self._remember(cause, row)
        if cause is None:
            return None
        if row.reason is Reason.PICKUP_TIMEOUT:
            return "nothing was picked up within the pick-up timeout"
        return self._streak(cause) or self._share(cause)

    def _remember(self, cause: Cause | None, row: Ended) -> None:
        if not self._last or self._last[-1][0] != cause:
            self._alike = 0
            self._sources.clear()
        if cause is None:
            self._in_a_row = 0
            self._suspects.clear()
        else:
            self._in_a_row += 1
            self._alike += 1
            self._sources.add(row.source)
            self._suspects.add(suspect(row))
        self._last.append((cause, row.source))
        if len(self._last) > self.rules.of_last:
            self._last.popleft()

    def _streak(self, cause: Cause) -> str | None:
        rules = self.rules
        if rules.in_a_row is not None and self._in_a_row >= rules.in_a_row:
            return f"{self._in_a_row} failures in a row"
        enough = rules.same_cause_in_a_row
        is_long = enough is not None and self._alike >= enough
        if is_long and len(self._sources) >= rules.sources:
            return f"{self._alike} failures in a row, all for: {_words(cause)}"
        return None

    def _share(self, cause: Cause) -> str | None:
        rules, n_last = self.rules, len(self._last)
        if n_last < rules.of_last:
            return None
        if rules.share is not None:
            n_failed = sum(other is not None for other, _ in self._last)
            if n_failed > rules.share * n_last:
                return f"{n_failed} of the last {n_last} rows failed"
        if rules.same_cause_share is not None:
            sources = Counter(source for other, source in self._last if other == cause)
            is_large = sources.total() > rules.same_cause_share * n_last
            if is_large and len(sources) >= rules.sources:
                many = f"{sources.total()} of the last {n_last} rows failed for"
                return f"{many}: {_words(cause)}"
        return None


def suspect(row: Ended) -> str | None:
    """Return the source that a failure may be the fault of; None where it is not."""
    return row.source if row.reason in AT_THE_CA else None


def _words(cause: Cause) -> str:
    reason, fingerprint = cause
    return fingerprint or (reason.value if reason else "no reason given")
