"""The JSON shape of what a caller may do, as ``GET /Security/My`` tells it.

Source: the model ``SecurityMyResponse`` of Keyfactor's own SDK of Command 11: roles by
name, and global rights in two words each; a right on one container is not listed.
"""

from __future__ import annotations

from batch_reenroll.sandbox.access import Caller
from batch_reenroll.sandbox.rights import Rights
from batch_reenroll.sandbox.shapes import GlobalPermissionJson, SecurityMyJson

#: The last major version that is taken to say ``Area`` and ``Permission`` as v10 does.
_LAST_WITH_ROLE_WORDS = 11


def security_json(caller: Caller) -> SecurityMyJson:
    """Return the answer to ``GET /Security/My``.

    undocumented: the words of ``Area`` and ``Permission``, and what other versions than
    11 send. The models of 11 call it legacy, so that 10 and 11 give the two words of a
    role's permission here; later ones give a claim, its last part as the permission.
    undocumented: which roles an account has; it has one by its own name.
    """
    role_words = caller.major <= _LAST_WITH_ROLE_WORDS
    # Container rights are left out.
    held = Rights(everywhere=caller.rights.everywhere)
    names = held.names(10 if role_words else caller.major)
    return {
        "Roles": [caller.name],
        "GlobalPermissions": [_permission(name) for name in names],
    }


def _permission(name: str) -> GlobalPermissionJson:
    """Return a right in two parts; a role's colon or a claim's last slash parts it."""
    if name.startswith("/"):
        area, _, permission = name.rstrip("/").rpartition("/")
        return {"Area": f"{area}/", "Permission": permission}
    area, _, permission = name.partition(": ")
    return {"Area": area, "Permission": permission}
