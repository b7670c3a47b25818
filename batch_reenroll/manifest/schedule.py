"""The small forms of the header: durations, cron lines, time zones."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from batch_reenroll.manifest.rules import did_you_mean, shown

_DURATION = re.compile(
    r"(?=\d)(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?", re.ASCII
)
_SECONDS = (86_400, 3_600, 60, 1)
_MONTHS = (
    *("JAN", "FEB", "MAR", "APR", "MAY", "JUN"),
    *("JUL", "AUG", "SEP", "OCT", "NOV", "DEC"),
)
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_CRON_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of month", 1, 31, {}),
    ("month", 1, 12, {name: n for n, name in enumerate(_MONTHS, start=1)}),
    ("day of week", 0, 7, {name: n for n, name in enumerate(_DAYS)}),
)
_CRON_ITEM = re.compile(
    r"(\*|[0-9]{1,2}|[A-Z]{3})(?:-([0-9]{1,2}|[A-Z]{3}))?(?:/([0-9]{1,2}))?", re.ASCII
)

_ANY_TIME = datetime(2000, 1, 1)  # noqa: DTZ001 - a clock on the wall


def duration_s(text: str) -> int | None:
    """Return the seconds, >= 0, that ``1d12h``, ``8h``, ``30m`` or ``90s`` means."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        return None
    return sum(
        int(n) * each for n, each in zip(match.groups("0"), _SECONDS, strict=True)
    )


def cron_fault(text: str) -> str | None:
    """Return what is wrong with a cron line of five fields, or None.

    Known are ``*``, numbers, names (``JAN``, ``SAT``), lists, ranges and steps.
    What such a line means when the clocks change stands in
    :mod:`batch_reenroll.campaign.recurrence`.
    """
    fields = text.upper().split()
    if len(fields) != len(_CRON_FIELDS):
        return f"it has {len(fields)} fields; expected five"
    for field, (name, low, high, names) in zip(fields, _CRON_FIELDS, strict=True):
        for item in field.split(","):
            if not _cron_item_holds(item, low, high, names):
                expected = f"expected *, {low} to {high}"
                expected += f" or {next(iter(names))} and its like" if names else ""
                return f"{name} is {shown(item)}; {expected}"
    try:
        CronSim(text, _ANY_TIME)
    except CronSimError:
        return f"no month of {shown(fields[3])} has a day {shown(fields[2])}"
    return None


def _cron_item_holds(item: str, low: int, high: int, names: dict[str, int]) -> bool:
    match = _CRON_ITEM.fullmatch(item)
    if match is None:
        return False
    first, last, step = match.groups()
    if step is not None and (int(step) == 0 or (first != "*" and last is None)):
        return False
    if first == "*":
        return last is None
    ends = [_cron_number(word, names) for word in (first, last or first)]
    # A step over a range of one means that one to cron, and all from it on to cronsim.
    has_room = step is None or ends[0] < ends[1]
    return low <= ends[0] <= ends[1] <= high and has_room


def _cron_number(word: str, names: dict[str, int]) -> int:
    return int(word) if word.isdigit() else names.get(word, -1)


def timezone_fault(name: str) -> str | None:
    """Return what is wrong with an IANA time zone name, or None."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        guess = did_you_mean(name, available_timezones())
        return f"{shown(name)} is not a known time zone" + (
            f"; {guess}" if guess else ""
        )
    return None
