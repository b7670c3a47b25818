"""The JSON shape of certificate authorities and templates (keyfactor-command.md 4.5).

undocumented: which of a template's names holds what. The short name, which requests
give, is ``CommonName``; the name for people is ``TemplateName`` and ``DisplayName``.
"""

from __future__ import annotations

from batch_reenroll.sandbox.dialects import Dialect
from batch_reenroll.sandbox.policy import KeyKind, Numbered, Template
from batch_reenroll.sandbox.shapes import CertificateAuthorityJson, TemplateJson

#: Of all CAs and templates.
TENANT = "example.com"
#: Of ``AllowedEnrollmentTypes``.
CSR_ENROLLMENT = 2

_KEYS = {KeyKind.EC_P256: ("ECC", "256"), KeyKind.RSA_2048: ("RSA", "2048")}
#: Where Active Directory puts templates of an enterprise; the last arc is ours.
_OID = "1.3.6.1.4.1.311.21.8.1"


def host_of(authority: str) -> str:
    r"""Return the host of ``host\logical name``."""
    return authority.partition("\\")[0]


def logical_of(authority: str) -> str:
    r"""Return the logical name of ``host\logical name``."""
    return authority.partition("\\")[2]


def title_of(template: Template) -> str:
    """Return the template's name for people."""
    return template.title or template.name


def authority_json(dialect: Dialect, row: Numbered[str]) -> CertificateAuthorityJson:
    """Return one item of ``GET /CertificateAuthority``."""
    shape: CertificateAuthorityJson = {
        "Id": row.number,
        "LogicalName": logical_of(row.item),
        "HostName": host_of(row.item),
        "Delegate": False,
        "DelegateEnrollment": True,
        "ConfigurationTenant": TENANT,
        "Remote": False,
        "Standalone": False,
        "AllowedEnrollmentTypes": CSR_ENROLLMENT,
        "CAType": 0,
        "UseAllowedRequesters": False,
        "AllowedRequesters": [],
    }
    if dialect.forest_root:
        shape["ForestRoot"] = TENANT
    return shape


def template_json(dialect: Dialect, row: Numbered[Template]) -> TemplateJson:
    """Return one item of ``GET /Templates``."""
    template = row.item
    key_type, key_size = _KEYS[template.key]
    shape: TemplateJson = {
        "Id": row.number,
        "CommonName": template.name,
        "TemplateName": title_of(template),
        "Oid": f"{_OID}.{row.number}",
        "KeySize": key_size,
        "KeyType": key_type,
        "ConfigurationTenant": TENANT,
        "FriendlyName": "",
        "DisplayName": title_of(template),
        "AllowedEnrollmentTypes": CSR_ENROLLMENT,
        "UseAllowedRequesters": False,
        "AllowedRequesters": [],
        "RequiresApproval": template.requires_approval,
    }
    if dialect.forest_root:
        shape["ForestRoot"] = TENANT
    return shape
