"""A TLS endpoint that a row names: where its certificate should be served."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from enum import StrEnum

#: ``[name@]host:port``; what is allowed inside is judged part by part.
_FORM = re.compile(
    r"(?:(?P<name>[^\s@]+)@)?(?:\[(?P<v6>[^\s\[\]]+)\]|(?P<host>[^\s\[\]@:]+))"
    r":(?P<port>\d{1,5})",
    re.ASCII,
)
# RFC 1123, and the underscore that internal names bear.
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where to shake hands.

    Attributes:
        host: A DNS name, or an IP address without brackets.
        port: 1 to 65535.
        name: The server name to ask for (SNI); "" = the host, or none where the host
            is an address (RFC 6066, section 3).
    """

    host: str
    port: int
    name: str = ""

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """Return the endpoint that ``[name@]host:port`` or ``[name@][v6]:port`` names.

        Raises:
            ValueError: It names none; the message says why.
        """
        match = _FORM.fullmatch(text.strip())
        if match is None:
            message = "expected host:port, [v6]:port or name@host:port"
            raise ValueError(message)
        name = match["name"] or ""
        if name and (not _is_dns_name(name) or _is_address(name)):
            message = f"{name} is no server name"
            raise ValueError(message)
        return cls(host=_host(match), port=_port(match["port"]), name=name)

    def __str__(self) -> str:
        """Return text that :meth:`parse` reads back."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.name}@{host}:{self.port}" if self.name else f"{host}:{self.port}"


def _host(match: re.Match[str]) -> str:
    if match["v6"] is not None:
        try:
            return str(ipaddress.IPv6Address(match["v6"]))
        except ValueError:
            message = f"[{match['v6']}] is no IPv6 address"
            raise ValueError(message) from None
    host = match["host"]
    if not _is_address(host) and not _is_dns_name(host):
        message = f"{host} is neither a host name nor an IPv4 address"
        raise ValueError(message)
    return host


def _port(text: str) -> int:
    port = int(text)
    if not 1 <= port <= 65_535:
        message = f"port {text} is not between 1 and 65535"
        raise ValueError(message)
    return port


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_dns_name(text: str) -> bool:
    labels = text.removesuffix(".").split(".")
    # All digits at the end is a mistyped address, never a top-level domain.
    is_number = labels[-1].isdigit()
    return len(text) <= 253 and not is_number and all(map(_LABEL.fullmatch, labels))


class Contact(StrEnum):
    """How shaking hands with an endpoint went."""

    SERVED = "served"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    UNRESOLVED = "unresolved"
    NO_HANDSHAKE = "no_handshake"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What an endpoint answered.

    Attributes:
        contact: How it went.
        thumbprint: SHA-1 of the leaf, lower-case hex; "" where none was shown.
        message: What went wrong, for people.
    """

    contact: Contact
    thumbprint: str = ""
    message: str = ""
