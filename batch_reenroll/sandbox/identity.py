"""Who may call: identities, their credentials, and the register that holds them."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from batch_reenroll.sandbox.exchange import SandboxError
from batch_reenroll.sandbox.rights import ALL_RIGHTS, EVERYWHERE, Enrollment, Rights


class NameTaken(SandboxError):
    """Another identity has the name or the client id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    r"""One account, with the ways in which it may sign in (perhaps none at all).

    Attributes:
        user: Plain name, without ``:``, ``\`` and ``@``.
        password: For Basic authentication; None = it cannot sign in so.
        domain: ``DOMAIN\user``, ``user@DOMAIN`` and the bare name are all taken.
        client_id, client_secret: For OAuth2 client credentials; both or neither.
        scopes: What its tokens may be asked for; empty = anything.
        audience: What its tokens must be asked for; empty = anything.
        rights: What it may do in Command.
        enrollment: On what it may enroll at the CA.
    """

    user: str
    password: str | None = field(default=None, repr=False)
    domain: str = "EXAMPLE"
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    scopes: tuple[str, ...] = ()
    audience: str = ""
    rights: Rights = ALL_RIGHTS
    enrollment: Enrollment = EVERYWHERE

    def __post_init__(self) -> None:
        faults = [
            (not _is_name(self.user), "user must be a plain name without ':\\@'"),
            (bool(self.domain) and not _is_name(self.domain), "domain is no name"),
            (self.password == "", "the password is empty"),
            (
                bool(self.client_id) != bool(self.client_secret),
                "client_id and client_secret belong together",
            ),
            (
                not all(_is_scope(scope) for scope in self.scopes),
                "a scope must be printable ASCII without spaces and quotes",
            ),
        ]
        wrong = [text for bad, text in faults if bad]
        if wrong:
            raise SandboxError(f"identity {self.user[:60]!r}: " + "; ".join(wrong))

    @property
    def name(self) -> str:
        r"""Return ``DOMAIN\user``, as the log and ``%ME%`` have it."""
        return f"{self.domain}\\{self.user}" if self.domain else self.user

    def answers_to(self, name: str) -> bool:
        r"""Return whether ``name``, in any of the three forms and any case, is it."""
        user, domain = self.user.lower(), self.domain.lower()
        forms = (user, f"{domain}\\{user}", f"{user}@{domain}")
        return name.lower() in forms


def _is_name(text: str) -> bool:
    return bool(text.strip()) and text.isprintable() and not set(":\\@") & set(text)


def _is_scope(text: str) -> bool:
    # RFC 6749 section 3.3: %x21 / %x23-5B / %x5D-7E.
    return bool(text) and all("!" <= char <= "~" and char not in '"\\' for char in text)


class Identities:
    """All accounts that the sandbox knows; may be changed while it runs."""

    def __init__(self, items: Iterable[Identity] = ()) -> None:
        self._items: dict[str, Identity] = {}
        for item in items:
            self.add(item)

    def __iter__(self) -> Iterator[Identity]:
        return iter(list(self._items.values()))

    def add(self, identity: Identity) -> None:
        """Add an account.

        Raises:
            NameTaken: Its name or its client id is.
        """
        if identity.name.lower() in self._items:
            raise NameTaken(f"there is an identity {identity.name} already")
        taken = {item.client_id for item in self._items.values() if item.client_id}
        if identity.client_id in taken:
            raise NameTaken(f"the client id {identity.client_id} is taken")
        self._items[identity.name.lower()] = identity

    def replace(self, identity: Identity) -> None:
        """Put ``identity`` in the place of the account with its name.

        Raises:
            SandboxError: There is none.
        """
        if identity.name.lower() not in self._items:
            raise SandboxError(f"there is no identity {identity.name}")
        self._items[identity.name.lower()] = identity

    def remove(self, identity: Identity) -> None:
        """Take the account with the name of ``identity`` out, if it is there."""
        self._items.pop(identity.name.lower(), None)

    def named(self, name: str) -> Identity | None:
        """Return the one account that answers to ``name``, or None."""
        exact = self._items.get(name.lower())
        if exact is not None:
            return exact
        found = [item for item in self._items.values() if item.answers_to(name)]
        return found[0] if len(found) == 1 else None

    def with_password(self, name: str, password: str) -> Identity | None:
        """Return the account that signs in so, or None."""
        for item in self._items.values():
            right = _same(password, item.password or "")
            if right and item.password is not None and item.answers_to(name):
                return item
        return None

    def with_secret(self, client_id: str, client_secret: str) -> Identity | None:
        """Return the account of an OAuth2 client, or None."""
        for item in self._items.values():
            right = _same(client_secret, item.client_secret)
            if right and item.client_id and item.client_id == client_id:
                return item
        return None


def _same(given: str, known: str) -> bool:
    return hmac.compare_digest(given.encode(), known.encode())
