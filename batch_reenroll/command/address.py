"""Where Command is: host, port and API path joined into one base URL (pure)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from urllib.parse import SplitResult, urlsplit

from batch_reenroll.text import visible

_HOST = re.compile(r"[^\W_](?:[\w.-]*[\w.])?")
_PATH = re.compile(r"[A-Za-z0-9._~%/-]*", re.ASCII)
_LOOPBACK_HINT = "use https; plain http is accepted for loopback addresses only"


class BadAddress(ValueError):
    """The address cannot be used; ``args`` are what is wrong and a hint."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPart:
    """A host as the user wrote it, taken apart.

    Attributes:
        scheme: ``https`` or ``http``.
        host: Lower-case name or address; an IPv6 address in brackets.
        port: As written in the host or URL, or None.
        path: The URL's path without slashes at its ends; usually empty.
    """

    scheme: str
    host: str
    port: int | None
    path: str


def parse_host(text: str) -> HostPart:
    """Take apart a host (https is meant), ``host:port`` or a URL.

    Raises:
        BadAddress: It is none of these, holds credentials, or asks for plain http to
            another machine. The text is not repeated when it holds credentials.
    """
    text = text.strip()
    if _has_credentials(text):
        message = "the address holds a user name or password"
        raise BadAddress(message, "give them as KEYFACTOR_USERNAME and _PASSWORD")
    parts = _split(text)
    host = _host_of(parts, text)
    if parts.scheme == "http" and not is_loopback(host):
        message = f"plain http to {visible(host, 80)} would show credentials to all"
        raise BadAddress(message, _LOOPBACK_HINT)
    try:
        port = parts.port
    except ValueError:
        message = f"{_shown(text)} has a port that is not 1 to 65535"
        raise BadAddress(message) from None
    if port == 0:
        message = f"{_shown(text)} has port 0"
        raise BadAddress(message, "a port is 1 to 65535")
    return HostPart(
        scheme=parts.scheme, host=host, port=port, path=parse_path(parts.path)
    )


def parse_path(text: str) -> str:
    """Return an API path without slashes at its ends.

    Raises:
        BadAddress: A character that no path holds, ``..``, or an empty segment.
    """
    path = text.strip().strip("/")
    segments = path.split("/") if path else []
    if not _PATH.fullmatch(path) or any(s in {"", ".", ".."} for s in segments):
        message = f"{_shown(text)} is not an API path"
        raise BadAddress(message, "expected something like KeyfactorAPI")
    return path


def join(host: HostPart, *, port: int | None, api_path: str) -> str:
    """Return the base URL, without a slash at its end.

    A URL whose path ends with the API path already is not given it twice.
    """
    shown_port = port if port is not None else host.port
    default = {"https": 443, "http": 80}[host.scheme]
    suffix = "" if shown_port in (None, default) else f":{shown_port}"
    path = host.path
    if api_path and f"/{path}/".lower().endswith(f"/{api_path}/".lower()):
        api_path = ""
    tail = "".join(f"/{part}" for part in (path, api_path) if part)
    return f"{host.scheme}://{host.host}{suffix}{tail}"


def parse_token_url(text: str) -> str:
    """Return a token endpoint's URL, checked.

    Raises:
        BadAddress: Not an https URL (http on loopback), or one with credentials.
    """
    if "://" not in text and not _has_credentials(text):
        message = f"{_shown(text)} is not a URL"
        raise BadAddress(message, "expected https://host/path of the token endpoint")
    host = parse_host(text.partition("?")[0])
    query = urlsplit(text.strip()).query
    url = join(host, port=None, api_path="")
    # A token endpoint may tell a path from the same path with a slash.
    slash = "/" if urlsplit(text.strip()).path.endswith("/") else ""
    return f"{url}{slash}{'?' + query if query else ''}"


def is_loopback(host: str) -> bool:
    """Return whether ``host`` is 127.0.0.0/8, ``::1`` or ``localhost``."""
    bare = host.strip("[]").lower()
    if bare == "localhost":
        return True
    try:
        return ip_address(bare).is_loopback
    except ValueError:
        return False


def _has_credentials(text: str) -> bool:
    authority = re.split(r"[/?#]", text.partition("://")[2] or text, maxsplit=1)[0]
    return "@" in authority or "@" in text.partition("?")[0]


def _split(text: str) -> SplitResult:
    if _is_ipv6(text):
        text = f"[{text}]"
    url = text if "://" in text else f"https://{text}"
    try:
        parts = urlsplit(url)
    except ValueError:
        message = f"{_shown(text)} is not a host or URL"
        raise BadAddress(message) from None
    if parts.scheme not in {"https", "http"}:
        message = f"{_shown(text)} has the scheme {_shown(parts.scheme)}"
        raise BadAddress(message, _LOOPBACK_HINT)
    if parts.query or parts.fragment:
        message = f"{_shown(text.partition('?')[0])} goes on with ? or #"
        raise BadAddress(message, "end the address with its path")
    return parts


def _host_of(parts: SplitResult, text: str) -> str:
    host = (parts.hostname or "").lower()
    if _is_ipv6(host):
        return f"[{host}]"
    if not _HOST.fullmatch(host) or ".." in host:
        message = f"{_shown(text)} names no host"
        raise BadAddress(message, "expected command.example.com or https://…")
    return host


def _is_ipv6(text: str) -> bool:
    try:
        return isinstance(ip_address(text), IPv6Address)
    except ValueError:
        return False


def _shown(text: str) -> str:
    return repr(visible(text, 80))
