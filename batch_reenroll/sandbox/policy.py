"""What the embedded CA issues: its authorities and templates, as plain values.

Shared by both ways of doing the work, so that a simulated CA and the real one refuse
the same requests with the same words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import starmap
from types import MappingProxyType
from typing import Generic, NamedTuple, TypeVar

from batch_reenroll.sandbox.rights import Enrollment

T = TypeVar("T")


class KeyKind(StrEnum):
    """The key an orchestrator makes for a template."""

    EC_P256 = "EC-P256"
    RSA_2048 = "RSA-2048"


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """One certificate template.

    Attributes:
        name: Short name, as requests give it.
        title: Name for people, as templates have it in Active Directory; or empty.
        key: Key type and size; the CA refuses any other.
        validity_days: From issue to NotAfter, >= 1.
        denial: Why the CA refuses every request for it, or an empty string.
        requires_approval: A CA manager must approve each request: it pends.
        cn_only: The CA leaves out the names that are asked for, but for the CN.
    """

    name: str
    title: str = ""
    key: KeyKind = KeyKind.EC_P256
    validity_days: int = 90
    denial: str = ""
    requires_approval: bool = False
    cn_only: bool = False


class Numbered(NamedTuple, Generic[T]):
    """What Command lists under a number of its own, >= 1."""

    number: int
    item: T


#: Issues what the fleet holds at the start.
OLD_CA = r"ca01.example.com\Corp Issuing CA 1"
#: Issues what replaces it.
NEW_CA = r"ca01.example.com\Corp Issuing CA 2"

WEB_SERVER = Template(name="WebServer", title="Web Server")
WEB_SERVER_RSA = Template(
    name="WebServerRSA2048", title="Web Server RSA 2048", key=KeyKind.RSA_2048
)
BROKEN = Template(
    name="Broken",
    denial="Denied by policy module: the template Broken is closed for enrollment",
)
APPROVED_BY_HAND = Template(
    name="WebServerApproval", title="Web Server (Approval)", requires_approval=True
)
CN_ONLY = Template(name="WebServerCnOnly", title="Web Server (CN only)", cn_only=True)


def _by_name(*templates: Template) -> Mapping[str, Template]:
    return MappingProxyType({item.name.lower(): item for item in templates})


@dataclass(frozen=True, slots=True, kw_only=True)
class CaPolicy:
    r"""The authorities and templates that requests may name, in any case.

    Attributes:
        authorities: ``host\logical name`` of each CA.
        templates: By name in lower case.
        default_authority, default_template: The application settings *Certificate
            Authority* and *Template For Submitted CSRs*; any text, empty = none.
        accounts: CA in lower case → the account that is configured for its
            authorization; without one the scheduling user's rights count.
    """

    authorities: tuple[str, ...] = (OLD_CA, NEW_CA)
    templates: Mapping[str, Template] = field(
        # A new one goes behind the others: enrollment patterns are their numbers.
        default_factory=lambda: _by_name(
            WEB_SERVER, WEB_SERVER_RSA, BROKEN, APPROVED_BY_HAND, CN_ONLY
        )
    )
    default_authority: str = NEW_CA
    default_template: str = WEB_SERVER.name
    accounts: Mapping[str, str] = field(default_factory=dict)

    @property
    def listed_authorities(self) -> list[Numbered[str]]:
        """The authorities as Command lists them."""
        return list(starmap(Numbered, enumerate(self.authorities, 1)))

    @property
    def listed_templates(self) -> list[Numbered[Template]]:
        """The templates as Command lists them."""
        return list(starmap(Numbered, enumerate(self.templates.values(), 1)))

    def choose(
        self, authority: str | None, template: str | None
    ) -> tuple[str, Template] | str:
        """Return the authority and template to use, or why there is no certificate.

        undocumented: the words of the refusal. That a wrong name fails in the job and
        not in the POST is documented by Keyfactor's sample workflow.
        """
        wanted = authority or self.default_authority
        found = (ca for ca in self.authorities if ca.lower() == wanted.lower())
        ca = next(found, None)
        if ca is None:
            return f"Unable to find the certificate authority '{wanted}'"
        name = template or self.default_template
        chosen = self.templates.get(name.lower())
        if chosen is None:
            return f"The template '{name}' is not available on {ca}"
        return (ca, chosen) if not chosen.denial else chosen.denial

    def account_for(self, authority: str, by: str) -> str:
        """Return the account that asks the CA, for a job that ``by`` scheduled."""
        return self.accounts.get(authority.lower(), by)


def enrollment_denial(
    authority: str, template: Template, held: Enrollment | None
) -> str:
    """Return the CA's words to an account that gets no certificate, or an empty string.

    The words are those that Windows has for its codes. undocumented: what Command puts
    around them; that a request which waits for approval fails in the job, whose
    orchestrator wants the certificate in the answer (keyfactor-command.md 4.5).

    Args:
        authority: A CA of the policy.
        template: The template that is asked for.
        held: The account's rights at the CA; None = it is not known there.
    """
    if held is None or not held.on_authority(authority):
        return (
            "The permissions on this certification authority do not allow the current "
            "user to enroll for certificates. 0x80094011 (CERTSRV_E_ENROLL_DENIED)"
        )
    if not held.on_template(template.name):
        return (
            "The permissions on the certificate template do not allow the current user "
            "to enroll for this type of certificate. 0x80094012 "
            "(CERTSRV_E_TEMPLATE_DENIED)"
        )
    if template.requires_approval:
        return (
            f"The request for the template {template.name} is pending: taken under "
            "submission (CR_DISP_UNDER_SUBMISSION)"
        )
    return ""
