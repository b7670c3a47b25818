"""What a campaign is made from: a manifest, or a plan that was made of one earlier."""

from __future__ import annotations

import getpass
import hashlib
import re
import secrets
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from batch_reenroll import __version__
from batch_reenroll.campaign.planfile import read_draft, read_rows
from batch_reenroll.campaign.record import Campaign, PlannedRow
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.cli.files import opened
from batch_reenroll.errors import ManifestRejected, PlanRefused, UsageError
from batch_reenroll.manifest import Manifest, ManifestRow
from batch_reenroll.text import parse_time, rfc3339

#: A plan older than this is stale whatever else holds: what it saw of Command is old.
MAX_PLAN_AGE = timedelta(days=7)


class Resolver(Protocol):
    """Gives rows their verdict."""

    def planned(self, row: ManifestRow) -> PlannedRow:
        """Return a manifest's row with its verdict."""
        ...

    def rechecked(self, row: PlannedRow) -> PlannedRow:
        """Return a plan's row with its verdict as it is now."""
        ...


class Source(Protocol):
    """Rows, and the campaign they make."""

    @property
    def draft(self) -> Campaign:
        """The campaign as planned; it has no name yet."""
        ...

    @property
    def sha256(self) -> str:
        """The plan's digest, "" where rows make the plan only now."""
        ...

    def rows(self, resolver: Resolver) -> Iterator[PlannedRow]:
        """Yield every row, read anew, with its verdict.

        Raises:
            ManifestRejected, PlanRefused: After the last row, or where none can be
                read on.
            UsageError: The file changed since it was first read.
        """
        ...


class ManifestSource:
    """A manifest, found to be without fault.

    Args:
        path: Where it lies.
        checked: What :func:`~batch_reenroll.cli.files.validated` returned for it.
        settings: Flag over manifest over default.
        command_url: The Command it is for.
        now_utc: Now, aware.
    """

    def __init__(
        self,
        path: Path,
        checked: Manifest,
        *,
        settings: RunSettings,
        command_url: str,
        now_utc: datetime,
    ) -> None:
        self._path = path
        self.sha256 = ""
        self.draft = _draft(path, checked, settings, command_url, now_utc)

    def rows(self, resolver: Resolver) -> Iterator[PlannedRow]:
        """See :class:`Source`."""
        manifest = opened(self._path)
        for row in manifest.rows(checked=True):
            yield resolver.planned(row)
        if manifest.problems:
            raise ManifestRejected(manifest.problems)
        if manifest.sha256 != self.draft.manifest_sha256:
            message = f"{manifest.name} changed while it was being planned"
            raise UsageError(message, hint="run the command again")


class PlanSource:
    """A plan in a file.

    Args:
        path: Where it lies.

    Attributes:
        sha256: Of the file's bytes.

    Raises:
        PlanRefused: It cannot be read to its end.
        UsageError: There is no such file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        reading = _Reading(path)
        lines = reading.lines()
        self.draft = read_draft(next(lines, ""))
        for _ in read_rows(lines):
            pass
        self.sha256 = reading.sha256

    def rows(self, resolver: Resolver) -> Iterator[PlannedRow]:
        """See :class:`Source`."""
        reading = _Reading(self._path)
        lines = reading.lines()
        read_draft(next(lines, ""))
        for row in read_rows(lines):
            yield resolver.rechecked(row)
        if reading.sha256 != self.sha256:
            message = f"{self._path} changed while it was being read"
            raise UsageError(message, hint="run the command again")

    def stale_because(self, now_utc: datetime) -> str | None:
        """Return why the plan should not be carried out any more, or None.

        Args:
            now_utc: Now, aware.
        """
        draft = self.draft
        made = parse_time(draft.created_at)
        if made is None or now_utc - made > MAX_PLAN_AGE:
            return f"it was made at {draft.created_at}, over 7 days ago"
        now = _digest_now(Path(draft.manifest_path))
        if now is not None and now != draft.manifest_sha256:
            return f"{draft.manifest_path} has changed since it was planned"
        return None

    @property
    def manifest_is_gone(self) -> bool:
        """Whether the manifest lies no more where it was."""
        return not Path(self.draft.manifest_path).exists()


class _Reading:
    """One reading of a text file, with the digest of what has been read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sha256 = hashlib.sha256()

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    def lines(self) -> Iterator[str]:
        """Yield the lines with their ends.

        Raises:
            UsageError: The file cannot be read.
            PlanRefused: It is not UTF-8.
        """
        try:
            with self._path.open("rb") as file:
                for line in file:
                    self._sha256.update(line)
                    yield line.decode()
        except OSError as exc:
            why = exc.strerror or type(exc).__name__
            raise UsageError(f"{self._path} cannot be read: {why}") from exc
        except UnicodeDecodeError as exc:
            message = f"{self._path} is no plan: it is not UTF-8"
            raise PlanRefused(message, code="plan_unreadable") from exc


def _digest_now(path: Path) -> str | None:
    """Return the manifest's digest as it is now; None where it is gone."""
    if not path.exists():
        return None
    try:
        manifest = opened(path)
        manifest.check()
    except ManifestRejected:
        return ""
    # It had none when it was planned; and what cannot be read to its end has no digest.
    return "" if manifest.problems else manifest.sha256


def operator() -> str:
    """Return the name of the account that runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def named(draft: Campaign, campaign_id: str | None, now_utc: datetime) -> Campaign:
    """Return the draft as a campaign of this process, with an id.

    Args:
        draft: As planned.
        campaign_id: As the user named it, or None to make one.
        now_utc: Now, aware.

    Raises:
        UsageError: ``campaign_id`` cannot name a folder.
    """
    if campaign_id is not None and not _CAMPAIGN_ID.fullmatch(campaign_id):
        message = f"--campaign {campaign_id!r} is no campaign id"
        hint = "up to 100 letters, digits, '.', '_' and '-', a letter or digit first"
        raise UsageError(message, hint=hint)
    return replace(
        draft,
        campaign_id=campaign_id or _made_id(draft, now_utc),
        operator=operator(),
        host=socket.gethostname(),
        tool_version=__version__,
        created_at=rfc3339(now_utc),
    )


def _made_id(draft: Campaign, now_utc: datetime) -> str:
    title = draft.purpose.get("name") or Path(draft.manifest_path).stem
    name = re.sub(r"[^A-Za-z0-9]+", "-", title).strip("-").lower()
    stamp = now_utc.astimezone(UTC).strftime("%Y%m%d-%H%M%S")
    # Two runs begun in the same second, by two processes and in two ledgers too, must
    # not share a report folder.
    suffix = "".join(secrets.choice(_SUFFIX_LETTERS) for _ in range(4))
    return f"{name[:60] or 'campaign'}-{stamp}-{suffix}"


_CAMPAIGN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

#: No vowels, so that no word comes about, and nothing that is read as a digit.
_SUFFIX_LETTERS = "bcdfghjkmnpqrstvwxz"


def _draft(
    path: Path,
    manifest: Manifest,
    settings: RunSettings,
    command_url: str,
    now_utc: datetime,
) -> Campaign:
    block = manifest.header.campaign
    return Campaign(
        campaign_id="",
        command_url=command_url,
        purpose={
            "name": block.name,
            "reason": block.reason,
            "ticket": block.ticket,
            "requested_by": block.requested_by,
            "approved_by": block.approved_by,
            "owner": block.owner,
            "deadline": rfc3339(block.deadline) if block.deadline else "",
        },
        columns=manifest.columns,
        defaults=manifest.header.default_cells(),
        manifest_name=manifest.name,
        manifest_path=str(path.resolve()),
        manifest_sha256=manifest.sha256,
        settings=settings,
        operator=operator(),
        host=socket.gethostname(),
        tool_version=__version__,
        created_at=rfc3339(now_utc),
    )
