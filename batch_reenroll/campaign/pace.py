"""How fast: the rate at which Command keeps up, found from below a ceiling.

Pure: callers bring the time and do the waiting. The rate grows by addition and is cut
by a factor when Command pushes back (429, 503), loses answers, or answers later than
as a rule. The rate of the last cut, the *knee*, is remembered: growth is quick up to
just below it, creeps past it, and is quick again once well past it, where the knee is
evidently gone. A plain sawtooth that halves and climbs gives a quarter of the rate
away; this one stays within a few percent of what Command bears (the shape is that of
TCP CUBIC, RFC 9438, in straight lines).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from batch_reenroll.campaign.latency import Latency
from batch_reenroll.campaign.limiter import Gcra
from batch_reenroll.campaign.quota import AuthorityGate, AuthorityLimit

#: A slow start reaches the ceiling within this time on a Command that answers well
#: (design.md 5.1).
RAMP_S = 8.0

#: Where the slow start begins, as a share of the ceiling.
START_SHARE = 0.25

#: Least rate after any number of cuts, as a share of the ceiling.
FLOOR_SHARE = 0.01

#: How far ahead permits may be taken: a new rate is in force that much later.
AHEAD_S = 0.25

#: How long after a cut answers to what leaves still say nothing about the new rate:
#: permits taken ahead, and what the old rate left full or empty at the other end.
_GRACE_S = 1.0

#: A first cut at the knee; every further one before the rate has recovered halves.
CUT, CUT_AGAIN = 0.8, 0.5

#: Where quick growth ends and begins again, as shares of the knee.
_NEAR, _PAST = 0.95, 1.05

#: From a halved rate back to just below the knee.
_RECOVER_S = 4.0

#: From just below the knee to just past it; doubled once the knee is found where it
#: was, since every probe costs refused requests.
_PROBE_S, _PROBE_MAX_S = 10.0, 20.0

#: How far apart two cuts may be to have found the same knee.
_SAME = 0.15

#: Probes are at least so many times as rare as the silence that one costs.
_HOLD_SHARE = 40.0

#: Growth past the knee: share of the rate per second, at most and for each part past.
_PAST_PER_S, _PAST_GAIN = 0.2, 0.5

#: What a rate that was cut again before it had recovered says of the knee.
_BELOW = 0.9

#: Slow answers alone never cut below this share of the ceiling: a Command may be slow
#: for reasons that our sending less does not mend.
_SLOW_FLOOR_SHARE = 0.1

#: Share of lost answers beyond which they mean overload and not bad luck, and the
#: weight of one answer in it: the third lost in a row is beyond.
LOSS_LIMIT, _LOSS_WEIGHT = 0.12, 0.05


class Cause(StrEnum):
    """Why the rate is what it is, for machines."""

    SLOW_START = "slow_start"
    CEILING = "ceiling"
    SLOW_ANSWERS = "slow_answers"
    PUSHED_BACK = "pushed_back"
    LOST_ANSWERS = "lost_answers"


class Pace:
    """One pace for the whole campaign, and a gate for each limited authority.

    Args:
        ceiling_per_s: Highest rate, > 0; never exceeded.
        burst: See :class:`Gcra`.
        now_s: When the run starts, monotonic seconds.
        authorities: Limits by certificate authority, as rows name it.

    Attributes:
        cause: Why the rate is what it is, for people.
        cause_code: The same, for machines.
    """

    def __init__(
        self,
        *,
        ceiling_per_s: float,
        burst: int,
        now_s: float,
        authorities: Mapping[str, AuthorityLimit] | None = None,
    ) -> None:
        self._ceiling = ceiling_per_s
        self._limiter = Gcra(rate_per_s=ceiling_per_s, burst=burst)
        self._limiter.rate_per_s = ceiling_per_s * START_SHARE
        self._gates = {
            name: AuthorityGate(limit) for name, limit in (authorities or {}).items()
        }
        self._latency = Latency()
        self._lost = 0.0
        self._knee: float | None = None
        self._probe_s = _PROBE_S
        self._grown_s = now_s
        self._cut_s = self._held_until_s = float("-inf")
        self.cause, self.cause_code = "slow start", Cause.SLOW_START

    @property
    def rate_per_s(self) -> float:
        """The rate in force."""
        return self._limiter.rate_per_s

    def ready_s(self, now_s: float) -> float:
        """Return when a permit could be used, >= ``now_s``, without taking it.

        Where that is more than :data:`AHEAD_S` away, sleep and ask again: permits taken
        long before stand for the rate of long before.
        """
        self._grow(now_s)
        return self._limiter.ready_s(now_s)

    @property
    def limited(self) -> tuple[str, ...]:
        """The authorities that have limits of their own."""
        return tuple(self._gates)

    def is_limited(self, authority: str) -> bool:
        """Return whether an authority has limits of its own."""
        return authority in self._gates

    def recall(self, authority: str, sent_s: Iterable[float]) -> None:
        """Count when earlier submissions left, for an authority's daily quota."""
        gate = self._gates.get(authority)
        if gate is not None:
            gate.recall(sent_s)

    def authority_ready_s(
        self, now_s: float, authority: str | None, *, ahead: int = 0
    ) -> float:
        """Return when an authority takes the next submission, >= ``now_s``.

        Ask before :meth:`reserve`: a permit taken for a distant moment keeps all other
        rows waiting until then. ``ahead`` submissions go before it.
        """
        gate = self._gates.get(authority or "")
        return now_s if gate is None else gate.ready_s(now_s, ahead)

    def reserve(self, now_s: float, authority: str | None = None) -> float:
        """Take one permit; return when it may be used, monotonic seconds."""
        self._grow(now_s)
        gate = self._gates.get(authority or "")
        if gate is None:
            return self._limiter.reserve(now_s)
        # First the campaign's: the authority's permit may only move later by it.
        return gate.reserve(self._limiter.reserve(gate.ready_s(now_s)))

    def give_back(self, send_s: float, authority: str | None = None) -> None:
        """Return an authority's permit that was not used, for its daily quota."""
        gate = self._gates.get(authority or "")
        if gate is not None:
            gate.give_back(send_s)

    def after_another(self, now_s: float) -> None:
        """Leave room for what an earlier process of the campaign may just have sent.

        With that, the limit holds in windows of time that more than one process saw.
        """
        self._limiter.hold_until(now_s + 1.0 / self._ceiling)
        for gate in self._gates.values():
            gate.after_another(now_s)

    def is_held(self, now_s: float) -> bool:
        """Return whether Command asked for silence; a permit must be taken anew."""
        return now_s < self._held_until_s

    def answered(self, now_s: float, latency_s: float) -> None:
        """Note that a submission was answered, ``latency_s`` after it left."""
        self._lost *= 1 - _LOSS_WEIGHT
        if self._is_old(now_s - latency_s):
            return
        self._latency.add(now_s, latency_s)
        factor = self._latency.gradient()
        if factor < 1.0 and self.rate_per_s > self._ceiling * _SLOW_FLOOR_SHARE:
            took_s, rule_s = self._latency.short_s or 0.0, self._latency.long_s or 0.0
            self._cut(now_s, factor)
            self.cause = f"answers took {took_s:.2f} s instead of {rule_s:.2f} s"
            self.cause_code = Cause.SLOW_ANSWERS

    def throttled(
        self, now_s: float, *, sent_s: float, retry_after_s: float | None
    ) -> None:
        """Slow the whole campaign down after 429 or 503.

        Args:
            now_s: Now.
            sent_s: When the refused request left. Answers to requests sent before the
                last cut say nothing new and do not cut again.
            retry_after_s: Command's wish in seconds, >= 0, or None.
        """
        if retry_after_s is not None:
            self._held_until_s = max(self._held_until_s, now_s + retry_after_s)
            self._limiter.hold_until(now_s + retry_after_s)
        self._grown_s = max(now_s, self._held_until_s)
        if self._is_old(sent_s):
            return
        rate = self.rate_per_s
        self._cut(now_s, CUT)
        self._probe_s = max(self._probe_s, _HOLD_SHARE * (retry_after_s or 0.0))
        self.cause = f"Command pushed back at {rate:.3g}/s"
        self.cause_code = Cause.PUSHED_BACK

    def lost(self, now_s: float, *, sent_s: float) -> None:
        """Note a submission without an answer: timeout, reset, or 5xx.

        One now and then is bad luck of the network; several in a few are overload.
        """
        self._lost += (1 - self._lost) * _LOSS_WEIGHT
        if self._lost > LOSS_LIMIT and not self._is_old(sent_s):
            self._cut(now_s, CUT_AGAIN)
            self.cause = f"{self._lost:.0%} of answers got lost"
            self.cause_code = Cause.LOST_ANSWERS

    def _is_old(self, sent_s: float) -> bool:
        """Return whether a request left before the last cut could tell."""
        return sent_s < self._cut_s + _GRACE_S

    def _cut(self, now_s: float, factor: float) -> None:
        rate, knee = self.rate_per_s, self._knee
        again = knee is None or rate < knee * _NEAR
        if again:
            factor = min(factor, CUT_AGAIN)
        same = knee is not None and abs(rate / knee - 1) <= _SAME
        self._probe_s = _PROBE_MAX_S if same else _PROBE_S
        self._knee = rate * _BELOW if again else rate
        self._limiter.rate_per_s = max(self._ceiling * FLOOR_SHARE, rate * factor)
        self._cut_s = now_s
        self._grown_s = max(now_s, self._held_until_s)
        self._latency.forget_recent()

    def _grow(self, now_s: float) -> None:
        left_s = now_s - self._grown_s
        if left_s <= 0:
            return
        self._grown_s = now_s
        rate = self.rate_per_s
        while left_s > 0 and rate < self._ceiling:
            slope_per_s, until = self._slope(rate)
            step_s = min(left_s, (until - rate) / slope_per_s)
            # To the very end of a stretch, lest rounding leave a sliver of it.
            rate = until if step_s < left_s else rate + slope_per_s * step_s
            left_s -= step_s
        if rate > self.rate_per_s:
            self._limiter.rate_per_s = min(rate, self._ceiling)
            if self.rate_per_s >= self._ceiling:
                self.cause, self.cause_code = "ceiling", Cause.CEILING

    def _slope(self, rate: float) -> tuple[float, float]:
        """Return the growth per second at ``rate``, and up to where it holds."""
        knee = self._knee
        if knee is None:
            return self._ceiling * (1 - START_SHARE) / RAMP_S, self._ceiling
        if rate < knee * _NEAR:
            return knee * (_NEAR - CUT_AGAIN) / _RECOVER_S, knee * _NEAR
        if rate < knee * _PAST:
            return knee * (_PAST - _NEAR) / self._probe_s, knee * _PAST
        share_per_s = min(_PAST_PER_S, _PAST_GAIN * (rate / knee - 1))
        return rate * share_per_s, rate * 1.1


def backoff_s(failures: int, *, roll: float, base_s: float, cap_s: float) -> float:
    """Return how long to wait after ``failures`` failures in a row, with jitter.

    Args:
        failures: >= 1.
        roll: Uniform sample in [0, 1).
        base_s: Longest wait after the first failure.
        cap_s: Longest wait after any.

    Returns:
        Seconds in [half, full] of ``min(cap_s, base_s * 2**(failures-1))``: "equal
        jitter", so that a probe is never sent at once.
    """
    full_s = min(cap_s, base_s * 2.0 ** min(failures - 1, 32))
    return full_s * (0.5 + roll / 2)
