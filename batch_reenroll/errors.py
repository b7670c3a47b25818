"""Every error this program raises on purpose, split by what the caller does next.

::

    ReenrollError(message, code, hint)         abstract; ``code`` is stable, text is not
    ├─ UsageError                    exit 2    flags, profile or environment are wrong
    ├─ ManifestRejected(problems)    exit 3    the manifest has faults: all of them
    ├─ PlanRefused                   exit 4    nothing can run, or not as it was asked
    ├─ LedgerError                   exit 2    the ledger cannot be used
    │  ├─ LedgerVersionMismatch      exit 2    written by a newer version
    │  ├─ CampaignLocked             exit 2    another process works on the campaign
    │  ├─ LedgerWriteFailed          exit 2    disk full, read-only: stop, resume
    │  ├─ StoreInFlight             row ends  another campaign holds the store
    │  └─ IllegalMove                exit 1    a transition the life cycle forbids
    └─ CommandError                            what talking to Command can come to
       ├─ NotSent                    retry     no byte of the request left (exit 9)
       ├─ OutcomeUnknown             look      the request may have been carried out
       ├─ SignInRenewed              retry     401, not carried out; sign-in is mended
       ├─ Throttled                  slow down 429: refused, not carried out
       ├─ Refused(status)            row ends  a 4xx that no retry mends
       ├─ NotAuthorised              exit 8    401 or 403
       └─ ContractViolation          exit 9    an answer that cannot be read

Imports nothing of ours. Messages say what, which and what was expected; they never
hold a secret.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class ReenrollError(Exception):
    """Root of the tree.

    Attributes:
        code: Stable lower_snake_case name; scripts and tests may rely on it.
        hint: One sentence of advice, or an empty string.
        exit_code: What the process exits with when nothing catches this.
    """

    exit_code = 1
    code = "internal"

    def __init__(
        self, message: str, *, code: str | None = None, hint: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code is not None:
            self.code = code


class UsageError(ReenrollError):
    """Flags, profile or environment are wrong; nothing was done."""

    exit_code = 2
    code = "usage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One fault of a manifest.

    Attributes:
        code: Stable lower_snake_case name of the kind of fault.
        message: What is wrong, with the offending value made printable and cut.
        file: The file's name as the user gave it.
        line: 1-based line, or None where no line can be named.
        column: The field's name (``SubjectName``), or None for a whole row or file.
        row_id: The row's id, or None outside rows.
        hint: What to do about it; may be empty.
    """

    code: str
    message: str
    file: str
    line: int | None = None
    column: str | None = None
    row_id: str | None = None
    hint: str = ""


class ManifestRejected(ReenrollError):
    """The manifest has faults. ``problems`` holds every one, in file order, n >= 1."""

    exit_code = 3
    code = "manifest_invalid"

    def __init__(self, problems: Sequence[Problem]) -> None:
        n = len(problems)
        super().__init__(f"the manifest has {n} problem{'' if n == 1 else 's'}")
        self.problems = tuple(problems)


class PlanRefused(ReenrollError):
    """The plan may not be carried out as asked; nothing was sent."""

    exit_code = 4
    code = "plan_refused"


class LedgerError(ReenrollError):
    """The ledger cannot be used."""

    exit_code = 2
    code = "ledger"


class LedgerVersionMismatch(LedgerError):
    """The ledger was written by a newer version of this program."""

    code = "ledger_newer"


class CampaignLocked(LedgerError):
    """Another process works on this campaign right now."""

    code = "campaign_locked"


class LedgerWriteFailed(LedgerError):
    """The ledger refused a write (disk full, read-only); the run must stop."""

    code = "ledger_write_failed"


class StoreInFlight(LedgerError):
    """Another campaign of this ledger has an unresolved submission for the store."""

    code = "store_in_flight"


class IllegalMove(LedgerError):
    """A transition that the life cycle forbids was asked for: a bug of ours."""

    exit_code = 1
    code = "illegal_move"


class CommandError(ReenrollError):
    """Talking to Command failed.

    Attributes:
        status: HTTP status, or None when there was no answer.
        retry_after_s: Seconds Command asked us to wait, >= 0, or None.
        error_code: Command's own ``ErrorCode``, or an empty string.
    """

    exit_code = 9
    code = "command_error"

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retry_after_s: float | None = None,
        error_code: str = "",
        code: str | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.status = status
        self.retry_after_s = retry_after_s
        self.error_code = error_code


class NotSent(CommandError):
    """No byte of the request reached Command (connect, TLS or name failure)."""

    code = "not_sent"


class OutcomeUnknown(CommandError):
    """The request may have been carried out: timeout, reset or 5xx after it left."""

    code = "outcome_unknown"


class SignInRenewed(CommandError):
    """401: not carried out. The token has been replaced since; it may be sent again."""

    code = "sign_in_renewed"


class Throttled(CommandError):
    """429: Command refused the request without carrying it out."""

    code = "throttled"


class Refused(CommandError):
    """A 4xx answer that no retry mends."""

    code = "refused"


class NotAuthorised(CommandError):
    """401 that one refresh did not mend, or 403."""

    exit_code = 8
    code = "not_authorised"


class ContractViolation(CommandError):
    """A 2xx answer whose body is not what the API describes."""

    code = "contract_violation"
