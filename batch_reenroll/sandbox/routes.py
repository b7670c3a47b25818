"""Which method and path means which endpoint; nothing of how it is answered."""

from __future__ import annotations

import re

from batch_reenroll.sandbox.calls import NOT_FOUND
from batch_reenroll.sandbox.endpoint import Endpoint
from batch_reenroll.sandbox.endpoints import ENDPOINTS
from batch_reenroll.sandbox.exchange import ApiError

BAD_METHOD = "0xA0110405"

_BASES = ("/keyfactorapi", "/keyfactor/api")


def _pattern(template: str) -> re.Pattern[str]:
    """Return what matches the lower-case paths of ``template``."""
    literals = re.split(r"\{\w+\}", template.lower())
    return re.compile("([^/]+)".join(re.escape(part) for part in literals))


_PATHS = {item.path: _pattern(item.path) for item in ENDPOINTS}
_BY_CALL = {(item.path, item.method): item for item in ENDPOINTS}


def route(method: str, path: str) -> tuple[Endpoint, str]:
    """Return the endpoint and its argument, in lower case.

    Args:
        method: Upper-case HTTP method.
        path: Decoded path, in any case, with one of the two bases in front.

    Raises:
        ApiError: 404 or 405.
    """
    lower = path.lower()
    base = next((b for b in _BASES if lower.startswith(b + "/")), None)
    rest = lower[len(base) :].rstrip("/") if base else ""
    # undocumented: that a word is never taken for the placeholder it would fill.
    for template, pattern in _PATHS.items():
        match = pattern.fullmatch(rest)
        if match is None:
            continue
        endpoint = _BY_CALL.get((template, method))
        if endpoint is None:
            raise _not_allowed(template)
        return endpoint, "".join(match.groups())
    raise ApiError(404, NOT_FOUND, "There is no such endpoint.")


def _not_allowed(template: str) -> ApiError:
    methods = sorted(method for path, method in _BY_CALL if path == template)
    allow = (("Allow", ", ".join(methods)),)
    return ApiError(405, BAD_METHOD, "The method is not allowed here.", allow)
