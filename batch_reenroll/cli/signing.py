"""Private and trusted keys: which files, and what opens them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from batch_reenroll.errors import UsageError
from batch_reenroll.evidence import (
    KeyUnusable,
    PublicKey,
    Signer,
    fingerprint,
    public_keys,
    signer_from,
)

F = TypeVar("F", bound=Callable[..., Any])

#: Larger files hold no key: an identity with its chain has some thousand bytes.
_MAX_BYTES = 1 << 20

_PASSPHRASE = "BATCH_REENROLL_SIGN_PASSPHRASE"  # noqa: S105 - a variable's name


def sign_options(function: F) -> F:
    """Add ``--sign`` and ``--sign-passphrase-env``."""
    for option in (
        click.option(
            "--sign-passphrase-env",
            metavar="NAME",
            default=_PASSPHRASE,
            show_default=True,
            help="Environment variable that holds the key's passphrase.",
        ),
        click.option(
            "--sign",
            metavar="KEY",
            type=click.Path(path_type=Path, dir_okay=False),
            envvar="BATCH_REENROLL_SIGN",
            show_envvar=True,
            help="Sign with this key: PEM (Ed25519, ECDSA) or PKCS#12.",
        ),
    ):
        function = option(function)
    return function


def signer_of(values: dict[str, Any]) -> Signer | None:
    """Take the signing flags out of ``values``; return the key, None without one.

    Raises:
        UsageError: The file cannot be read, or holds no key that signs.
    """
    path: Path | None = values.pop("sign")
    variable: str = values.pop("sign_passphrase_env")
    if path is None:
        return None
    passphrase = os.environ.get(variable)
    content = key_file(path)
    try:
        return signer_from(content, passphrase.encode() if passphrase else None)
    except KeyUnusable as exc:
        message = f"--sign {path}: {exc}"
        hint = f"the passphrase is read from the environment variable {variable}"
        raise UsageError(message, code="key_unusable", hint=hint) from exc


def trusted_keys(flag: str, paths: Iterable[Path]) -> dict[str, PublicKey]:
    """Return the keys in the files, of certificates too, by fingerprint.

    Raises:
        UsageError: A file cannot be read, or names no key.
    """
    found: dict[str, PublicKey] = {}
    for path in paths:
        try:
            found |= {fingerprint(key): key for key in public_keys(key_file(path))}
        except KeyUnusable as exc:
            message = f"{flag} {path}: {exc}"
            raise UsageError(message, code="key_unusable") from exc
    return found


def key_file(path: Path) -> bytes:
    """Return the bytes of a key file.

    Raises:
        UsageError: It cannot be read, or is too large to be one.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as exc:
        why = exc.strerror or type(exc).__name__
        message = f"the key file {path} cannot be read: {why}"
        raise UsageError(message, code="key_unusable") from exc
    if len(content) > _MAX_BYTES:
        message = f"{path} is no key file: it has over {_MAX_BYTES} bytes"
        raise UsageError(message, code="key_unusable")
    return content
