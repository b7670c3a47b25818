"""What an account lacks of the rights that a submission needs, in words. Pure.

A remark and no obstacle: Command lists global rights only, and the right to modify
stores may be held for single containers instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class NeededRight(StrEnum):
    """A right that a submission needs (keyfactor-command.md 1.6); a stable code."""

    ENROLL_CSR = "enroll_csr"
    MODIFY_STORES = "modify_stores"


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """What Command says of the account's global rights.

    Attributes:
        missing: Rights that a submission needs and the account does not hold for
            everything, each once; None = not known.
        unread: Why that is not known, in words; "" where it is, or nobody asked.
    """

    missing: tuple[NeededRight, ...] | None = None
    unread: str = ""

    @property
    def known(self) -> bool:
        """Whether Command has said what the account may do."""
        return self.missing is not None

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a person should know before anything is sent; a sentence each."""
        if self.unread:
            return (f"permissions not checked: {self.unread}",)
        return tuple(_REMARKS[right] for right in self.missing or ())


_REMARKS = {
    NeededRight.ENROLL_CSR: (
        "the account holds no global right to enroll by CSR; missing: "
        "CertificateEnrollment: EnrollCSR (v10) or /certificates/enrollment/csr/ (11+)"
    ),
    NeededRight.MODIFY_STORES: (
        "the account holds no global right to modify stores, and that of single "
        "containers is not listed; missing: "
        "CertificateStoreManagement: Modify (v10) or /certificate_stores/modify/ (11+)"
    ),
}
