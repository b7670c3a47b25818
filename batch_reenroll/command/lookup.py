"""One table of settings, and looking a value up by precedence with its origin (pure).

A fault is noted, not raised, so that all of them are told at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from batch_reenroll.command.address import BadAddress
from batch_reenroll.command.connection import Setting
from batch_reenroll.command.secret import Secret
from batch_reenroll.errors import UsageError
from batch_reenroll.text import visible

T = TypeVar("T")

#: Precedence levels; the lower wins. They count from 1.
FLAG, ENV, FILE = 1, 2, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A setting: its environment name and profile key, either of which may lack.

    Attributes:
        noun: What a value should have been, for an error.
        secret: Never shown.
        default: What ``config show`` prints when nothing is set.
    """

    env: str = ""
    key: str = ""
    noun: str = "value"
    secret: bool = False
    default: str = ""


#: Every setting, in the order they are shown. Keys marked "ours" are not Keyfactor's.
FIELDS: Mapping[str, Field] = {
    "host": Field(env="KEYFACTOR_HOSTNAME", key="host", noun="host"),
    "port": Field(env="KEYFACTOR_PORT", key="port", noun="port", default="443"),
    "api_path": Field(
        env="KEYFACTOR_API_PATH",
        key="api_path",
        noun="API path",
        default="KeyfactorAPI",
    ),
    "auth_type": Field(key="auth_type"),
    "username": Field(env="KEYFACTOR_USERNAME", key="username"),
    "password": Field(env="KEYFACTOR_PASSWORD", key="password", secret=True),
    "domain": Field(env="KEYFACTOR_DOMAIN", key="domain"),
    "client_id": Field(env="KEYFACTOR_AUTH_CLIENT_ID", key="client_id"),
    "client_secret": Field(
        env="KEYFACTOR_AUTH_CLIENT_SECRET", key="client_secret", secret=True
    ),
    "token_url": Field(env="KEYFACTOR_AUTH_TOKEN_URL", key="token_url", noun="URL"),
    "scopes": Field(env="KEYFACTOR_AUTH_SCOPES", key="scopes"),
    "audience": Field(env="KEYFACTOR_AUTH_AUDIENCE", key="audience"),
    "access_token": Field(
        env="KEYFACTOR_AUTH_ACCESS_TOKEN", key="access_token", secret=True
    ),
    "provider": Field(env="KEYFACTOR_AUTH_PROVIDER", key="auth_provider.type"),
    "skip_tls_verify": Field(
        env="KEYFACTOR_SKIP_VERIFY",
        key="skip_tls_verify",
        noun="switch",
        default="false",
    ),
    "ca_cert_path": Field(env="KEYFACTOR_CA_CERT", key="ca_cert_path"),
    "auth_ca_cert_path": Field(
        env="KEYFACTOR_AUTH_CA_CERT",
        key="auth_ca_cert_path",  # ours: Keyfactor's profile has one CA for both
    ),
    "client_cert_path": Field(key="client_cert_path"),  # ours
    "client_key_path": Field(key="client_key_path"),  # ours
    # Ours, and of the environment only: Keyfactor's tools have no client certificate.
    "client_cert_password": Field(
        env="BATCH_REENROLL_CLIENT_CERT_PASSWORD", secret=True
    ),
    "timeout_s": Field(
        env="KEYFACTOR_CLIENT_TIMEOUT",
        key="client_timeout",  # ours
        noun="timeout",
        default="60",
    ),
    "dialect": Field(key="dialect", noun="dialect", default="auto"),  # ours
    "job_properties_as_array": Field(
        key="job_properties_as_array",  # ours
        noun="switch",
        default="false",
    ),
    "trust_env": Field(key="trust_env", noun="switch", default="false"),  # ours
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """What the command line says about the connection; None = not given."""

    profile: str | None = None
    config: str | None = None
    dialect: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One profile of the configuration file, or none at all (empty values)."""

    name: str = ""
    name_origin: str = ""
    file: str = ""
    file_origin: str = ""
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A value that was set, with its origin and precedence level."""

    value: Any
    origin: str
    level: int


class Faults:
    """Gathers what is wrong with the settings."""

    def __init__(self) -> None:
        self._faults: list[tuple[str, str]] = []

    def add(self, message: str, hint: str = "") -> None:
        """Note one fault; the same one twice counts once."""
        if (message, hint) not in self._faults:
            self._faults.append((message, hint))

    def __bool__(self) -> bool:
        return bool(self._faults)

    def raise_all(self) -> None:
        """Raise one UsageError that names every fault, if there is any."""
        if not self._faults:
            return
        if len(self._faults) == 1:
            message, hint = self._faults[0]
            raise UsageError(message, code="connection_settings", hint=hint)
        lines = [f"  {m}" + (f" ({h})" if h else "") for m, h in self._faults]
        head = f"the connection settings have {len(lines)} faults:"
        raise UsageError("\n".join([head, *lines]), code="connection_settings")


class Lookup:
    """The values that are set, by name of :data:`FIELDS`; empty ones are not."""

    def __init__(
        self, *, env: Mapping[str, str], profile: Profile, flags: Flags, faults: Faults
    ) -> None:
        self._env = env
        self._profile = profile
        self._flags = flags
        self.faults = faults

    def find(self, name: str) -> Found | None:
        """Return the value of highest precedence, or None where none is set."""
        field = FIELDS[name]
        if name == "dialect" and self._flags.dialect:
            return Found(value=self._flags.dialect, origin="flag --dialect", level=FLAG)
        if field.env and self._env.get(field.env, "").strip():
            return Found(
                value=self._env[field.env], origin=f"env {field.env}", level=ENV
            )
        value = _dig(self._profile.values, field.key)
        if value in (None, "", []):
            return None
        origin = f"file:{self._profile.name}.{field.key}"
        return Found(value=value, origin=origin, level=FILE)

    def level(self, name: str) -> int | None:
        """Return the precedence level at which ``name`` is set, or None."""
        found = self.find(name)
        return found.level if found else None

    def text(self, name: str) -> str:
        """Return the value as text, empty where none is set.

        A value that is no Unicode text (a stray byte in the environment) is a fault.
        """
        found = self.find(name)
        text = str(found.value) if found else ""
        if found and any("\ud800" <= char <= "\udfff" for char in text):
            self.faults.add(f"{found.origin} is not UTF-8")
        return text

    def required(self, name: str) -> str:
        """Return the value as text; note a fault where none is set."""
        text = self.text(name)
        if not text:
            field = FIELDS[name]
            hint = f"set {field.env}, or {field.key} in the profile"
            self.faults.add(f"{field.key} is missing", hint)
        return text

    def value(self, name: str, read: Callable[[str | list[Any]], T], default: T) -> T:
        """Return ``read`` of the value; note a fault and return ``default`` if bad."""
        found = self.find(name)
        if found is None:
            return default
        raw = found.value if isinstance(found.value, list) else str(found.value)
        try:
            return read(raw)
        except BadAddress as exc:
            self.faults.add(f"{found.origin}: {exc.message}", exc.hint)
        except ValueError as exc:
            shown = repr(visible(str(raw), 80))
            noun = FIELDS[name].noun
            self.faults.add(f"{found.origin}: {shown} is no {noun}", str(exc))
        return default

    def kerberos(self) -> bool:
        """Return whether Kerberos settings are there."""
        named = any(
            k.startswith("KEYFACTOR_AUTH_KRB_") and v for k, v in self._env.items()
        )
        keys = self._profile.values
        return named or any(k.startswith("kerberos_") and keys[k] for k in keys)

    def settings(self) -> tuple[Setting, ...]:
        """Return every setting with its origin; secrets as asterisks."""
        profile = self._profile
        places = [
            Setting(name=name, shown=shown, origin=origin)
            for name, shown, origin in (
                ("config", profile.file, profile.file_origin),
                ("profile", profile.name, profile.name_origin),
            )
            if shown
        ]
        return (*places, *(self._setting(name) for name in FIELDS))

    def _setting(self, name: str) -> Setting:
        found, field = self.find(name), FIELDS[name]
        if found is None:
            return Setting(name=name, shown=field.default, origin="default")
        if field.secret:
            return Setting(name=name, shown=str(Secret("")), origin=found.origin)
        value = found.value
        shown = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        return Setting(name=name, shown=visible(shown, 200), origin=found.origin)


def _dig(values: Mapping[str, Any], path: str) -> Any:
    found: Any = values
    for key in path.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if not isinstance(found, Mapping) else None
