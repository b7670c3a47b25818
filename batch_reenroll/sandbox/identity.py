"""Who may call: HTTP Basic authentication."""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass, field

from batch_reenroll.sandbox.exchange import ApiError, Request

UNAUTHORISED = "0xA0110401"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A user that may sign in; ``domain`` may be given in front of the name or not."""

    user: str
    password: str = field(repr=False)
    domain: str = "EXAMPLE"

    def answers_to(self, name: str) -> bool:
        r"""Return whether ``name`` is this user: ``user`` or ``DOMAIN\user``."""
        wanted = name.lower()
        user, domain = self.user.lower(), self.domain.lower()
        return wanted in (user, f"{domain}\\{user}")


def sign_in(request: Request, identities: tuple[Identity, ...]) -> str:
    r"""Return the name of the caller as ``DOMAIN\user``.

    Raises:
        ApiError: 401; no, malformed or wrong credentials.
    """
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    name, password = _decode(value) if scheme.lower() == "basic" else ("", "")
    for identity in identities:
        right = hmac.compare_digest(password.encode(), identity.password.encode())
        if identity.answers_to(name) and right:
            return f"{identity.domain}\\{identity.user}"
    challenge = (("WWW-Authenticate", 'Basic realm="Keyfactor"'),)
    raise ApiError(401, UNAUTHORISED, "The credentials are not valid.", challenge)


def _decode(value: str) -> tuple[str, str]:
    try:
        text = base64.b64decode(value.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return "", ""
    name, _, password = text.partition(":")
    return name, password
