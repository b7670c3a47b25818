"""The management port: settings, faults, time, identities and orchestrators.

Ours alone: nothing of it is Command's, and it has a port and a key of its own so that
no client takes it for the API. Like the core it is a pure function of a request and a
time; ``managementport`` puts it on a socket. A refusal is
``{"error": word, "problems": [text, ...]}`` with 400, 401, 404, 405, 409, 413 or 415.
What changes anything is entered into the sandbox's log, without what it held.

===========================================  ==========================================
``GET /``                                    the endpoints
``GET /summary``                             the time, and how many jobs stand where
``GET``, ``PATCH /settings``                 :class:`~.appsettings.AppSettings`
``GET``, ``POST``, ``DELETE /faults``        a fault script (``faultfile``) is added
``DELETE /faults/{requests|jobs}/{id}``
``GET``, ``POST /time``                      ``{"advance_s": 3600}``
``GET``, ``POST /identities``                as in ``identityentry``
``GET``, ``DELETE /identities/{name}``
``PUT /identities/{name}/rights``            rights, containers, authorities, templates
``POST /identities/{name}/revoke``           takes back its bearer tokens
``GET /orchestrators``
``GET``, ``PATCH /orchestrators/{id}``       ``{"online": false, "approved": true}``
===========================================  ==========================================
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from batch_reenroll.sandbox.desk import Desk
from batch_reenroll.sandbox.errand import Answer, Ask, Refusal
from batch_reenroll.sandbox.exchange import (
    Request,
    Response,
    SandboxError,
    iso_time,
    json_body,
)
from batch_reenroll.sandbox.jsonread import BadShape, parse_json
from batch_reenroll.sandbox.world import LogSink

#: Larger bodies are refused.
BODY_MAX_BYTES = 1_048_576


@dataclass(frozen=True, slots=True)
class _Route:
    method: str
    path: str
    answer: Callable[[Desk, Ask], Answer]

    @property
    def pattern(self) -> re.Pattern[str]:
        """Match the path; what stands in braces becomes a group."""
        return re.compile(re.sub(r"{\w+}", "([^/]+)", self.path))


_ROUTES = (
    _Route("GET", "/summary", Desk.summary),
    _Route("GET", "/settings", Desk.settings),
    _Route("PATCH", "/settings", Desk.change_settings),
    _Route("GET", "/faults", Desk.faults),
    _Route("POST", "/faults", Desk.add_faults),
    _Route("DELETE", "/faults", Desk.clear_faults),
    _Route("DELETE", "/faults/{kind}/{id}", Desk.remove_fault),
    _Route("GET", "/time", Desk.tell_time),
    _Route("POST", "/time", Desk.advance),
    _Route("GET", "/identities", Desk.identities),
    _Route("POST", "/identities", Desk.add_identity),
    _Route("GET", "/identities/{name}", Desk.identity),
    _Route("DELETE", "/identities/{name}", Desk.remove_identity),
    _Route("PUT", "/identities/{name}/rights", Desk.replace_rights),
    _Route("POST", "/identities/{name}/revoke", Desk.revoke_tokens),
    _Route("GET", "/orchestrators", Desk.orchestrators),
    _Route("GET", "/orchestrators/{id}", Desk.orchestrator),
    _Route("PATCH", "/orchestrators/{id}", Desk.change_orchestrator),
)
_COMPILED = tuple((route.pattern, route) for route in _ROUTES)
#: Those that read no body.
_BODILESS = {"GET", "DELETE"}


class Management:
    """Answers requests of whoever has the key.

    Args:
        desk: Does the work.
        key: The bearer key, not empty.
        log: Takes the entries of the sandbox's own log.
    """

    def __init__(
        self, desk: Desk, key: str, log: LogSink = lambda _entry: None
    ) -> None:
        self._desk = desk
        self._key = key
        self._log = log

    def answer(self, request: Request, now: float) -> Response:
        """Answer ``request``; never raises for what it holds."""
        response = self._answered(request, now)
        if request.method != "GET" and response.status < 300:
            self._log(
                {
                    "at": iso_time(now),
                    "event": "managed",
                    "method": request.method,
                    "path": request.target.partition("?")[0][:200],
                    "status": response.status,
                }
            )
        return response

    def _answered(self, request: Request, now: float) -> Response:
        try:
            self._check_key(request)
            answer = self._answer(request, now)
        except Refusal as refusal:
            body = {"error": refusal.word, "problems": list(refusal.problems)}
            return _response(refusal.status, body, refusal.headers)
        except BadShape as exc:
            body = {"error": "bad_request", "problems": list(exc.problems)}
            return _response(400, body)
        except SandboxError as exc:
            return _response(400, {"error": "bad_request", "problems": [str(exc)]})
        return _response(answer.status, answer.body)

    def _check_key(self, request: Request) -> None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        # A header may hold bytes that are no text.
        told = given.strip().encode(errors="surrogateescape")
        same = hmac.compare_digest(told, self._key.encode())
        if scheme.lower() != "bearer" or not same:
            challenge = ("WWW-Authenticate", 'Bearer realm="sandbox management"')
            raise Refusal(401, "unauthorized", "the key is wrong", headers=(challenge,))

    def _answer(self, request: Request, now: float) -> Answer:
        path = request.target.partition("?")[0]
        if path == "/" and request.method == "GET":
            return Answer(200, [f"{item.method} {item.path}" for item in _ROUTES])
        route, parts = _route(request.method, path)
        body = None if route.method in _BODILESS else _body(request)
        return route.answer(self._desk, Ask(parts=parts, body=body, now=now))


def _route(method: str, path: str) -> tuple[_Route, tuple[str, ...]]:
    allowed: list[str] = ["GET"] if path == "/" else []
    for pattern, route in _COMPILED:
        match = pattern.fullmatch(path)
        if match and route.method == method:
            return route, tuple(unquote(part) for part in match.groups())
        if match:
            allowed.append(route.method)
    if allowed:
        allow = (("Allow", ", ".join(sorted(set(allowed)))),)
        raise Refusal(405, "method_not_allowed", f"not {method[:20]}", headers=allow)
    raise Refusal(404, "not_found", "there is no such endpoint; GET / lists them")


def _body(request: Request) -> Any:
    """Return the JSON value of a body; none at all is an empty object."""
    if len(request.body) > BODY_MAX_BYTES:
        raise Refusal(413, "too_large", f"the body is over {BODY_MAX_BYTES} bytes")
    if not request.body:
        return {}
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json":
        problem = "the content type must be application/json"
        raise Refusal(415, "unsupported_media_type", problem)
    return parse_json(request.body)


def _response(
    status: int, body: object, headers: tuple[tuple[str, str], ...] = ()
) -> Response:
    content = ("Content-Type", "application/json; charset=utf-8")
    data = b"" if status == 204 else json_body(body)
    return Response(status=status, headers=(content, *headers), body=data)
