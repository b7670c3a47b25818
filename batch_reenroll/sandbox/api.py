"""What happens to every authenticated request before its own call answers it."""

from __future__ import annotations

from urllib.parse import unquote

from batch_reenroll.sandbox.access import Caller
from batch_reenroll.sandbox.calls import NOT_FOUND
from batch_reenroll.sandbox.exchange import ApiError, Request, Response
from batch_reenroll.sandbox.orchestration import Orchestration
from batch_reenroll.sandbox.routes import route
from batch_reenroll.sandbox.site import Call, open_site
from batch_reenroll.sandbox.world import World

NO_MARKER = "0xA0110400"
BODY_TOO_LARGE = "0xA0110413"


class Api:
    """Answers authenticated requests."""

    def __init__(self, world: World, orchestration: Orchestration) -> None:
        self._world = world
        self._site = open_site(world, orchestration)

    def answer(self, request: Request, caller: Caller) -> Response:
        """Return the answer to ``request``.

        Raises:
            ApiError: 4xx; nothing was changed.
        """
        settings = self._world.settings
        path, _, raw_query = request.target.partition("?")
        if len(raw_query) > settings.query_max_bytes:
            raise ApiError(404, NOT_FOUND, "The query string is too long.")
        if len(request.body) > settings.body_max_bytes:
            raise ApiError(413, BODY_TOO_LARGE, "The request body is too large.")
        endpoint, argument = route(request.method, unquote(path))
        # undocumented: what Command does without it; "mandatory on writes" is.
        marker = request.headers.get("x-keyfactor-requested-with")
        if request.method != "GET" and not marker:
            message = "The header x-keyfactor-requested-with is required."
            raise ApiError(400, NO_MARKER, message)
        caller.demand(endpoint.rights)
        call = Call(request=request, caller=caller, argument=argument)
        return endpoint.answer(self._site, call)
