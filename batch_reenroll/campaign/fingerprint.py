"""What many failure messages have in common.

Three thousand jobs that failed for one reason say it in three thousand texts, which
differ in a host, a path or a number. The fingerprint leaves those out.
"""

from __future__ import annotations

import re

from batch_reenroll.text import plain, visible

#: Characters of a message that are looked at; a cause stands at its beginning, and
#: the patterns below are quadratic at worst.
_READ = 1_000
#: Longest fingerprint, in characters.
_LIMIT = 240

_GUID = r"\b[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\b"
_TIME = r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?"
_URL = r"\b[a-z][a-z0-9+]{1,15}://[^\s'\"<>,;]+"
# A drive or UNC path may hold spaces only where quotes say so; cutting at the first
# space leaves a stable rest.
_PATH = r"(?:\b[A-Za-z]:[\\/]|\\\\|(?<![\w<>])/)[^\s'\"<>,;:]+"
_IP = (
    r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"
    r"|\b(?:[0-9A-Fa-f]{1,4}:){4,7}[0-9A-Fa-f]{1,4}\b"
)
# Names in one case only: "System.Net.Http.HttpRequestException" is a cause, not a host.
_HOST = (
    r"\b(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,24}\b(?::\d+)?"
    r"|\b(?:[A-Z0-9](?:[A-Z0-9-]*[A-Z0-9])?\.)+[A-Z]{2,24}\b(?::\d+)?"
)
# Error codes such as 0x80092004 *are* the cause and stay; thumbprints and serial
# numbers are longer, or stand without the prefix.
_CODE = r"\b0x[0-9A-Fa-f]{1,8}\b"
_HEX = r"\b(?:0x[0-9A-Fa-f]{9,}|(?=[A-Fa-f]*\d)[0-9A-Fa-f]{8,})\b"
_NUMBER = r"\d+(?:[.,:]\d+)*"

_VARIABLE = re.compile(
    "|".join(
        f"(?P<{name}>{pattern})"
        for name, pattern in (
            ("guid", _GUID),
            ("time", _TIME),
            ("url", _URL),
            ("path", _PATH),
            ("ip", _IP),
            ("host", _HOST),
            ("code", _CODE),
            ("hex", _HEX),
            ("n", _NUMBER),
        )
    )
)


def fingerprint(message: str) -> str:
    """Return ``message`` without what differs from row to row, on one line.

    GUIDs, times, URLs, paths, addresses, host names, long hex and numbers become
    ``<guid>``, ``<time>`` and so on; Windows-style error codes (``0x80092004``) stay.

    Args:
        message: Anything, any length.

    Returns:
        At most 240 characters, without control characters; "" for blank text.
    """
    text = plain(visible(plain(message[: 2 * _READ])[:_READ]))
    text = _VARIABLE.sub(_placeholder, text)
    return text if len(text) <= _LIMIT else text[: _LIMIT - 1] + "…"


def _placeholder(match: re.Match[str]) -> str:
    kind = match.lastgroup
    return match.group() if kind == "code" else f"<{kind}>"
