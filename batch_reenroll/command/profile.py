"""The file ``command_config.json``: where it is, reading it, one profile of it.

:func:`read_config` touches the disk; the rest is pure. No error repeats the file's
text: it holds secrets.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from batch_reenroll.command.lookup import Faults, Flags, Profile
from batch_reenroll.errors import UsageError
from batch_reenroll.text import visible

_ENV_FILE = "KEYFACTOR_AUTH_CONFIG_FILE"
_ENV_PROFILE = "KEYFACTOR_AUTH_CONFIG_PROFILE"

DEFAULT_PROFILE = "default"

# A profile takes half a KiB; a megabyte is not a profile file.
_MAX_FILE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """A configuration file that was read.

    Attributes:
        path: As the user named it.
        text: JSON or YAML.
        origin: ``flag --config``, ``env NAME`` or ``default``.
    """

    path: str
    text: str
    origin: str = "default"


def read_config(
    env: Mapping[str, str], flags: Flags, *, home: Path
) -> ConfigFile | None:
    """Read the configuration file, None where there is none and none was named.

    Raises:
        UsageError: A named file is missing, or the file is there and unreadable.
    """
    path, origin = _place(env, flags, home)
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        if origin == "default":
            return None
        message = f"{origin}: {_shown(path)} does not exist"
        raise UsageError(message, code="config_file") from None
    except OSError as exc:
        message = f"{origin}: {_shown(path)} cannot be read: {exc.strerror}"
        raise UsageError(message, code="config_file") from exc
    if len(raw) > _MAX_FILE_BYTES:
        message = f"{origin}: {_shown(path)} is larger than 1 MiB"
        raise UsageError(message, code="config_file")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        message = f"{origin}: {_shown(path)} is not UTF-8"
        # `from None`: the original error holds the bytes of the file.
        raise UsageError(message, code="config_file") from None
    return ConfigFile(path=str(path), text=text, origin=origin)


def select_profile(
    env: Mapping[str, str], config: ConfigFile | None, flags: Flags, faults: Faults
) -> Profile:
    """Return the profile to use; an empty one where there is none.

    A fault is noted for a file that is not what it should be, a profile that was
    named and is not there, and a named file without the profile ``default``.
    """
    name, origin = _profile_name(env, flags)
    if config is None:
        if origin != "default":
            faults.add(
                f"{origin}: there is no file to hold the profile {_quoted(name)}",
                "expected ~/.keyfactor/command_config.json, or name one by --config",
            )
        return Profile(values={})
    servers = _servers(config, faults)
    found = servers.get(name)
    if isinstance(found, Mapping):
        values = {key: value for key, value in found.items() if isinstance(key, str)}
        return Profile(
            name=name,
            name_origin=origin,
            file=config.path,
            file_origin=config.origin,
            values=values,
        )
    asked = origin if origin != "default" else config.origin
    if asked != "default" and not faults:
        known = ", ".join(sorted(map(str, servers))) or "none"
        faults.add(
            f"{asked}: the file holds no profile {_quoted(name)}",
            f"profiles in it: {visible(known, 200)}",
        )
    return Profile(values={})


def _place(env: Mapping[str, str], flags: Flags, home: Path) -> tuple[Path, str]:
    if flags.config:
        return Path(flags.config), "flag --config"
    named = env.get(_ENV_FILE, "").strip()
    if named:
        # Where no shell has expanded it: a unit file, a container's environment.
        path = home / named[2:] if named.startswith("~/") else Path(named)
        return path, f"env {_ENV_FILE}"
    return home / ".keyfactor" / "command_config.json", "default"


def _profile_name(env: Mapping[str, str], flags: Flags) -> tuple[str, str]:
    if flags.profile:
        return flags.profile, "flag --profile"
    if env.get(_ENV_PROFILE, "").strip():
        return env[_ENV_PROFILE].strip(), f"env {_ENV_PROFILE}"
    return DEFAULT_PROFILE, "default"


def _servers(config: ConfigFile, faults: Faults) -> Mapping[str, Any]:
    where = f"{config.origin}: {visible(config.path, 200)}"
    try:
        document = _parse(config.text)
    except ValueError as exc:
        faults.add(f"{where} is neither JSON nor YAML", str(exc))
        return {}
    if not document and config.origin == "default":
        return {}
    servers = document.get("servers") if isinstance(document, Mapping) else None
    if not isinstance(servers, Mapping):
        faults.add(f"{where} holds no profiles", 'expected {"servers": {"default": …}}')
        return {}
    return servers


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as exc:
        # Its own text quotes the file.
        mark = exc.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ValueError(place) from None
    except (yaml.YAMLError, ValueError, RecursionError):
        message = "it cannot be parsed"
        raise ValueError(message) from None


def _quoted(name: str) -> str:
    return repr(visible(name, 80))


def _shown(path: Path) -> str:
    return visible(str(path), 200)
