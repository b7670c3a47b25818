"""Opening the files a manifest names; the one place where their paths are followed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePath
from typing import BinaryIO

from batch_reenroll.errors import ManifestRejected, UsageError
from batch_reenroll.manifest import Manifest, OutsideFolder, open_manifest


def opener_for(manifest: Path) -> Callable[[PurePath], BinaryIO]:
    """Return an opener for a manifest and the file its ``rows_from`` names.

    The manifest may lie anywhere; another file must lie in its folder, symbolic links
    followed.
    """

    def opened(path: PurePath) -> BinaryIO:
        if path != manifest:
            folder = manifest.resolve().parent
            if not Path(path).resolve().is_relative_to(folder):
                raise OutsideFolder(str(path))
        return Path(path).open("rb")

    return opened


def opened(path: Path) -> Manifest:
    """Open a manifest file.

    Raises:
        ManifestRejected: Its header or the file itself has faults.
    """
    return open_manifest(path, opener_for(path))


def validated(path: Path) -> Manifest:
    """Read a manifest to its end; return it, exhausted and without fault.

    Raises:
        ManifestRejected: With every fault.
    """
    manifest = opened(path)
    manifest.check()
    if manifest.problems:
        raise ManifestRejected(manifest.problems)
    return manifest


def ledger_path(url: str) -> Path:
    """Return the file that a ledger URL names.

    Raises:
        UsageError: It is no ``sqlite:///FILE`` URL.
    """
    scheme, found, rest = url.partition("://")
    if not found:
        message = f"--ledger {url!r} is no ledger URL"
        raise UsageError(message, hint=f"did you mean sqlite:///{url}?")
    if scheme in ("postgresql", "postgres"):
        message = "this version has no PostgreSQL ledger yet"
        raise UsageError(message, hint="use sqlite:///FILE")
    if scheme != "sqlite" or not rest.startswith("/") or not rest[1:]:
        message = f"--ledger {url!r} is not of the form sqlite:///FILE"
        raise UsageError(
            message, hint="sqlite:///campaigns.db, or sqlite:////var/lib/x.db"
        )
    return Path(rest[1:])
