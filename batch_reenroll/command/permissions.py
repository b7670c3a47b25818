"""Which rights of a submission the account lacks, by ``GET /Security/My``.

Source: Keyfactor's own SDK of Command 11, ``keyfactor-command-sdk`` 11.0.0a1, in
``api/security/get_security_my.py``: "Looks at all the roles and global permissions for
the user and returns them". Two texts make one permission, ``Area`` and ``Permission``.
Rights on single containers are not among them, and other versions may not have the
call. Nothing but a remark rests on it, so whatever is answered is no error.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from batch_reenroll.campaign.permissions import NeededRight, Permissions
from batch_reenroll.command.enrollment import why_unread
from batch_reenroll.command.exchange import Exchange
from batch_reenroll.command.refusal import Right
from batch_reenroll.command.secret import Redactor
from batch_reenroll.command.wire import Fields, parse_json
from batch_reenroll.errors import CommandError, ContractViolation

_PATH = "/Security/My"

# Each right by its name in v10 and by its claim in 11+ (keyfactor-command.md 1.6).
_NAMES = {
    NeededRight.ENROLL_CSR: (
        "CertificateEnrollment: EnrollCSR",
        "/certificates/enrollment/csr/",
    ),
    NeededRight.MODIFY_STORES: (
        "CertificateStoreManagement: Modify",
        "/certificate_stores/modify/",
    ),
}
# Without it nothing can be planned, and it is a global one (2.7): a list that does not
# show it is written in words that we cannot read.
_HELD_FOR_CERTAIN = ("AgentManagement: Read", "/agents/management/read/")


async def read_permissions(exchange: Exchange, redactor: Redactor) -> Permissions:
    """Return what the account lacks; one request, and not known where it fails."""
    try:
        answer = await exchange.get(_PATH, kind="other", right=Right.NONE)
        return permissions(parse_json(answer, redactor))
    except CommandError as exc:
        return Permissions(unread=why_unread(exc, Right.NONE))


def permissions(raw: object) -> Permissions:
    """Return what the answer says.

    Raises:
        ContractViolation: It is not of the expected shape.
    """
    listed = Fields(raw).raw("GlobalPermissions")
    if not isinstance(listed, list):
        message = "Command's answer lists no GlobalPermissions"
        raise ContractViolation(message)
    held = [_Held.of(Fields(item)) for item in listed]
    if not held:
        return Permissions(unread="Command lists no global right of the account")
    if not _is_held(_HELD_FOR_CERTAIN, held):
        return Permissions(unread="Command names rights in words that are not known")
    lacking = (right for right, names in _NAMES.items() if not _is_held(names, held))
    return Permissions(missing=tuple(lacking))


class _Held(NamedTuple):
    """One right that is held: all that it may be called, and the claim it may be."""

    names: frozenset[str]
    claim: str

    @classmethod
    def of(cls, item: Fields) -> _Held:
        """Return what ``Area`` and ``Permission`` say.

        undocumented: what stands in each of them from 11 on: v10's two words, or a
        claim in one of them, or one in two parts. Each is read.
        """
        area, permission = item.text("Area").strip(), item.text("Permission").strip()
        parts = [part for part in (area, permission) if part]
        whole = "/".join(parts)
        names = frozenset(_folded(name) for name in (area, permission, whole))
        return cls(names=names, claim=_claim(whole) if whole[:1] == "/" else "")


def _is_held(names: Sequence[str], held: Sequence[_Held]) -> bool:
    """Return whether one of the names is held, or a claim that stands above it.

    undocumented: that ``/certificate_stores/`` gives all below it. It is taken to, as
    the worse mistake of a remark is to call missing what is held.
    """
    return any(
        _folded(name) in one.names or (one.claim and name.startswith(one.claim))
        for name in names
        for one in held
    )


def _folded(text: str) -> str:
    """Return the letters and digits alone, in lower case."""
    return re.sub(r"[\W_]", "", text).lower()


def _claim(text: str) -> str:
    """Return a claim as 11+ writes it: lower case, a slash around each part."""
    parts = re.sub(r"\s", "", text).lower().split("/")
    return "/".join(["", *filter(None, parts), ""]) if any(parts) else "/"
