"""Which method and path means which call; nothing of how it is answered."""

from __future__ import annotations

import re

from batch_reenroll.sandbox.exchange import ApiError

NOT_FOUND = "0xA0110404"
BAD_METHOD = "0xA0110405"

_BASES = ("/keyfactorapi", "/keyfactor/api")
_ROUTES = (
    ("GET", r"/certificatestores", "stores"),
    ("GET", r"/certificatestores/(?P<id>[^/]+)", "store"),
    ("GET", r"/certificatestores/(?P<id>[^/]+)/inventory", "inventory"),
    ("POST", r"/certificatestores/reenrollment", "reenroll"),
    ("GET", r"/orchestratorjobs/scheduledjobs", "scheduled_jobs"),
    ("GET", r"/orchestratorjobs/jobhistory", "job_history"),
    ("POST", r"/orchestratorjobs/unschedule", "unschedule"),
    ("POST", r"/orchestratorjobs/reschedule", "reschedule"),
    ("POST", r"/orchestratorjobs/acknowledge", "acknowledge"),
    ("GET", r"/certificatestoretypes", "store_types"),
    ("GET", r"/certificatestoretypes/name/(?P<id>[^/]+)", "store_types_named"),
    ("GET", r"/certificatestoretypes/(?P<id>[^/]+)", "store_type"),
    ("GET", r"/agents", "agents"),
    ("GET", r"/agents/(?P<id>[^/]+)", "agent"),
    ("GET", r"/status/endpoints", "endpoints"),
)
_COMPILED = tuple((verb, re.compile(path), name) for verb, path, name in _ROUTES)


def route(method: str, path: str) -> tuple[str, str]:
    """Return the name of the call and its argument, in lower case.

    Args:
        method: Upper-case HTTP method.
        path: Decoded path, in any case, with one of the two bases in front.

    Raises:
        ApiError: 404 or 405.
    """
    lower = path.lower()
    base = next((b for b in _BASES if lower.startswith(b + "/")), None)
    rest = lower[len(base) :].rstrip("/") if base else ""
    allowed: list[str] = []
    for verb, pattern, name in _COMPILED:
        match = pattern.fullmatch(rest)
        if match and verb == method:
            return name, match.groupdict().get("id", "")
        if match:
            allowed.append(verb)
    if allowed:
        allow = (("Allow", ", ".join(sorted(set(allowed)))),)
        raise ApiError(405, BAD_METHOD, "The method is not allowed here.", allow)
    raise ApiError(404, NOT_FOUND, "There is no such endpoint.")


def endpoint_names() -> list[str]:
    """Return all endpoints for ``GET /Status/Endpoints``.

    undocumented: the form of the strings; that it is an array of strings is known.
    """
    return [f"{verb} {re.sub('[(].*?[)]', '{id}', path)}" for verb, path, _ in _ROUTES]
