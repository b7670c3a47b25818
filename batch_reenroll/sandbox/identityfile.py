r"""Reading identities from a file.

A JSON object::

    {"identities": [...], "ca_accounts": {"host\\CA": "DOMAIN\\user"}}

An entry is as in ``identityentry``; ``password_env`` and ``client_secret_env`` may name
an environment variable instead of holding the secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from batch_reenroll.sandbox.exchange import SandboxError
from batch_reenroll.sandbox.identity import Identities, Identity
from batch_reenroll.sandbox.identityentry import IdentityEntry
from batch_reenroll.sandbox.jsonread import build, parse_json


@dataclass(frozen=True, slots=True, kw_only=True)
class _FileEntry(IdentityEntry):
    password_env: str = ""
    client_secret_env: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    identities: tuple[_FileEntry, ...] = ()
    ca_accounts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityFile:
    """What a file of identities holds.

    Attributes:
        identities: In the file's order.
        ca_accounts: CA in lower case → the account configured for its authorization.
    """

    identities: tuple[Identity, ...] = ()
    ca_accounts: Mapping[str, str] = field(default_factory=dict)


def load_identities(path: Path, environment: Mapping[str, str]) -> IdentityFile:
    """Return the identities in the JSON file ``path``.

    Raises:
        SandboxError: It cannot be read, or what it holds cannot be.
    """
    try:
        read = build(_File, parse_json(path.read_bytes()), "identities")
        found = tuple(_identity(entry, environment) for entry in read.identities)
        Identities(found)  # no name and no client id twice
    except OSError as exc:
        raise SandboxError(f"{path}: {exc.strerror}") from exc
    except SandboxError as exc:
        raise SandboxError(f"{path}: {exc}") from exc
    accounts = {ca.lower(): account for ca, account in read.ca_accounts.items()}
    return IdentityFile(identities=found, ca_accounts=accounts)


def _identity(entry: _FileEntry, environment: Mapping[str, str]) -> Identity:
    values = {name: getattr(entry, name) for name in IdentityEntry.__dataclass_fields__}
    for name, variable in (
        ("password", entry.password_env),
        ("client_secret", entry.client_secret_env),
    ):
        if variable and values[name]:
            raise SandboxError(f"{entry.user}: {name} and {name}_env are both given")
        if variable and not environment.get(variable):
            raise SandboxError(f"{entry.user}: the variable {variable} is not set")
        if variable:
            values[name] = environment[variable]
    return IdentityEntry(**values).identity()
