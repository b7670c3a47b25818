"""Connection settings: flag over environment over profile file over default.

Pure: the environment, the file's text and the flags come in as arguments;
:mod:`batch_reenroll.command.profile` reads the file. Names are those of Keyfactor's
own tools (keyfactor-command.md 6.2, 6.3).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from batch_reenroll.command.address import HostPart, join, parse_host, parse_path
from batch_reenroll.command.connection import (
    DEFAULT_TIMEOUT_S,
    Connection,
    TlsChoice,
)
from batch_reenroll.command.credentials import choose_auth
from batch_reenroll.command.dialect import parse_dialect
from batch_reenroll.command.lookup import FIELDS, Faults, Flags, Lookup
from batch_reenroll.command.profile import ConfigFile, select_profile
from batch_reenroll.command.secret import Secret
from batch_reenroll.errors import UsageError

# Values that show that somebody meant to configure a Command.
_TELLING = (
    "host",
    "auth_type",
    "username",
    "password",
    "client_id",
    "client_secret",
    "access_token",
    "provider",
    "client_cert_path",
)


def not_configured() -> UsageError:
    """Return the error for a verb that needs a Command when none is configured."""
    return UsageError(
        "no Keyfactor Command is configured",
        code="not_configured",
        hint="set KEYFACTOR_HOSTNAME and credentials, or write a profile to "
        "~/.keyfactor/command_config.json; `batch-reenroll demo` needs neither",
    )


def resolve(
    env: Mapping[str, str], config: ConfigFile | None, flags: Flags | None = None
) -> Connection | None:
    """Return the connection that the settings describe, None where there are none.

    Args:
        env: Environment variables; an empty value counts as unset.
        config: The profile file, or None where there is none.
        flags: What the command line says.

    Raises:
        UsageError: A value is missing or wrong; one error names every fault.
    """
    flags = flags or Flags()
    faults = Faults()
    profile = select_profile(env, config, flags, faults)
    # What else is missing may stand in the file that could not be used.
    faults.raise_all()
    lookup = Lookup(env=env, profile=profile, flags=flags, faults=faults)
    if not any(lookup.find(name) for name in _TELLING):
        return None
    connection = _connection(lookup)
    faults.raise_all()
    return connection


def _connection(lookup: Lookup) -> Connection:
    return Connection(
        base_url=_base_url(lookup),
        auth=choose_auth(lookup),
        tls=_tls(lookup),
        timeout_s=lookup.value("timeout_s", _timeout_s, DEFAULT_TIMEOUT_S),
        dialect=lookup.value("dialect", lambda raw: parse_dialect(str(raw)), None),
        job_properties_as_array=lookup.value("job_properties_as_array", _flag, False),
        trust_env=lookup.value("trust_env", _flag, False),
        origins=lookup.settings(),
    )


def _base_url(lookup: Lookup) -> str:
    host: HostPart | None = None
    if lookup.find("host") is None:
        hint = "set KEYFACTOR_HOSTNAME, or host in the profile"
        lookup.faults.add("no Command host is named", hint)
    else:
        host = lookup.value("host", lambda raw: parse_host(str(raw)), None)
    port = lookup.value("port", _port, None)
    default_path = FIELDS["api_path"].default
    path = lookup.value("api_path", lambda raw: parse_path(str(raw)), default_path)
    if host is None:
        return ""
    if host.path and lookup.find("api_path") is None:
        path = ""
    return join(host, port=_one_port(lookup, port, host.port), api_path=path)


def _one_port(lookup: Lookup, named: int | None, in_host: int | None) -> int | None:
    if named is None or in_host is None or named == in_host:
        return named if in_host is None else in_host
    host_level, port_level = lookup.level("host"), lookup.level("port")
    if host_level == port_level:
        lookup.faults.add(
            f"two ports are given: {in_host} with the host, {named} as the port",
            "leave one of them out",
        )
    return named if (port_level or 0) < (host_level or 0) else in_host


def _tls(lookup: Lookup) -> TlsChoice:
    key = lookup.text("client_key_path")
    cert = lookup.text("client_cert_path")
    if key and not cert:
        hint = "name the certificate too"
        lookup.faults.add("client_key_path is given without client_cert_path", hint)
    password = lookup.text("client_cert_password") if cert else ""
    return TlsChoice(
        skip_verify=lookup.value("skip_tls_verify", _flag, False),
        ca_cert=lookup.text("ca_cert_path") or None,
        auth_ca_cert=lookup.text("auth_ca_cert_path") or None,
        client_cert=cert or None,
        client_key=key or None,
        client_password=Secret(password) if password else None,
    )


def _port(raw: str | list[Any]) -> int | None:
    text = str(raw).strip()
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        message = "expected 1 to 65535"
        raise ValueError(message)
    return int(text)


def _timeout_s(raw: str | list[Any]) -> float:
    message = "expected seconds, more than 0 and at most 3600"
    try:
        seconds = float(str(raw).strip())
    except ValueError:
        raise ValueError(message) from None
    if not (math.isfinite(seconds) and 0 < seconds <= 3600):
        raise ValueError(message)
    return seconds


def _flag(raw: str | list[Any]) -> bool:
    word = str(raw).strip().lower()
    if word not in {"true", "1", "false", "0"}:
        message = "expected true, false, 1 or 0"
        raise ValueError(message)
    return word in {"true", "1"}
