"""Text that crosses a border: made safe to show, to put in a cell, or to hash.

Command's messages, aliases and paths are somebody else's bytes. Everything here is
pure and total: any ``str`` goes in, nothing raises.
"""

from __future__ import annotations

import hashlib
import json
import re
import string
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime

# A cell that begins so is run as a formula by some spreadsheet (OWASP "CSV
# injection"; the full-width forms are folded to ASCII by some importers).
_FORMULA = "=+\\-@\t\r\n＝＋－＠"
_RISKY = re.compile(f"'*[{_FORMULA}]")
# Most cells, told without a search.
_HARMLESS_STARTS = frozenset(["", *string.ascii_letters, *string.digits])
_DEFUSED = re.compile(f"'+[{_FORMULA}]")

# C0, DEL, C1, and the bidirectional controls that let text lie about its order.
_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069\ufeff"
    "\ud800-\udfff]"
)


#: Whole numbers beyond it have no exact double, and JSON readers differ.
_MAX_EXACT = 2**53

_LONE = re.compile("[\ud800-\udfff]")


def defuse(cell: str) -> str:
    """Return ``cell`` so that no spreadsheet runs it: a leading ``'`` where needed.

    ``undefuse(defuse(s)) == s`` for every ``s``: a cell that already looks defused
    gets one more quote.
    """
    if cell[:1] in _HARMLESS_STARTS:
        return cell
    return "'" + cell if _RISKY.match(cell) else cell


def undefuse(cell: str) -> str:
    """Return what :func:`defuse` was given; any other text comes back unchanged."""
    return cell[1:] if _DEFUSED.match(cell) else cell


#: Longest note of a cut: a gigabyte's.
_NOTE_ROOM = len("… (+1073741824 characters)")


def _escaped(match: re.Match[str]) -> str:
    return ascii(match.group())[1:-1]


def visible(text: str, limit: int | None = None) -> str:
    r"""Return ``text`` on one line with every control character escaped (``\x1b``).

    Args:
        text: Anything, lone surrogates included.
        limit: Longest result in characters, >= 40, or None for no cut. What is cut is
            counted in the text itself: ``… (+123 characters)``.
    """
    # None of these characters is printable: asking is quicker than looking for them.
    if text.isprintable() and (limit is None or len(text) <= limit):
        return text
    if limit is None:
        return _CONTROL.sub(_escaped, text)
    shown = _CONTROL.sub(_escaped, text[:limit])
    if len(text) <= limit and len(shown) <= limit:
        return shown
    room = limit - _NOTE_ROOM
    kept: list[str] = []
    for character in text[:limit]:
        piece = _CONTROL.sub(_escaped, character)
        if len(piece) > room:
            break
        room -= len(piece)
        kept.append(piece)
    return f"{''.join(kept)}… (+{len(text) - len(kept)} characters)"


def quiet_json(text: str) -> str:
    r"""Return JSON text of the same value, its control characters as ``\u009b``.

    JSON escapes only those below U+0020; a terminal heeds others as well. Line feeds
    between values stay.
    """
    return _CONTROL.sub(_json_escaped, text)


def _json_escaped(match: re.Match[str]) -> str:
    character = match.group()
    return character if character == "\n" else f"\\u{ord(character):04x}"


def plain(text: str) -> str:
    """Return ``text`` in NFC with all runs of white space folded to one space."""
    return unicodedata.normalize("NFC", " ".join(text.split()))


def canonical_json(value: object) -> str:
    """Return RFC 8785 canonical JSON of ``value``.

    Only what the journal uses is accepted: objects with ASCII keys, arrays, strings,
    ints within ±2**53, booleans and null. For these, sorted keys without white space
    *are* RFC 8785. Lone surrogates, which it forbids, are replaced by U+FFFD.

    Raises:
        TypeError: A float, a larger int or any other type is inside.
    """
    return _encoded(_canonical(value))


# One encoder for all calls: json.dumps would make one for each.
_encoded = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False
).encode


def _canonical(value: object) -> object:
    if isinstance(value, str):
        return well_formed(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return _exact(value)
    # A dict is by far the most frequent Mapping, and asking the ABC takes 1 µs.
    if isinstance(value, dict) or isinstance(value, Mapping):  # noqa: SIM101
        return {well_formed(str(key)): _canonical(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    message = f"{type(value).__name__} has no canonical form here"
    raise TypeError(message)


def _exact(number: int) -> int:
    if abs(number) > _MAX_EXACT:
        message = f"{number} has no canonical form: a double cannot hold it"
        raise TypeError(message)
    return number


def well_formed(text: str) -> str:
    """Return ``text`` with every lone surrogate replaced by U+FFFD.

    JSON may hold half a surrogate pair; UTF-8, and so files and databases, cannot.
    """
    return text if text.isascii() else _LONE.sub("\ufffd", text)


def sha256_hex(text: str) -> str:
    """Return the SHA-256 of ``text`` in UTF-8 as 64 lower-case hex digits."""
    return hashlib.sha256(well_formed(text).encode()).hexdigest()


def rfc3339(moment: datetime) -> str:
    """Return ``moment`` as RFC 3339 UTC, to the ms: ``2026-11-23T18:40:00.000Z``.

    Raises:
        ValueError: ``moment`` has no zone.
    """
    if moment.tzinfo is None:
        message = f"{moment.isoformat()} has no zone"
        raise ValueError(message)
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def parse_time(text: str) -> datetime | None:
    """Return the moment that ``text`` names, or None where it names none.

    Accepts RFC 3339 and what Command sends: any number of fraction digits, ``Z``, an
    offset, or no zone at all, which means UTC (keyfactor-command.md 2.4).
    """
    if _USUAL_TIME.fullmatch(text):
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            return None
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return None
    day, clock, fraction, zone = match.groups()
    micros = ((fraction or "") + "000000")[:6]
    offset = "+00:00" if zone in (None, "Z", "z") else zone
    try:
        return datetime.fromisoformat(f"{day}T{clock}.{micros}{offset}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None


# What this program writes itself, and mostly reads.
_USUAL_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|z|[+-]\d\d:\d\d)?", re.ASCII
)
