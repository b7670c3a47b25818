"""How the major versions of Command differ on the wire: one literal table.

What is known of each version is in keyfactor-command.md (2.1, 2.4, 2.5, 4.2, 4.3, 12).
Of 10 and 25 there are recordings, of 11 and 24 mostly pages and schemas.

undocumented, and chosen so that a client which guesses meets each case somewhere:

- 10 knows list parameters by its endpoint's own prefix alone and ignores others, as a
  .NET server ignores a parameter it has no name for; 11 and later take every spelling,
  because 25.4.1 was seen to.
- 11 sends numbers already, as its pages list them, but no zone yet; 24 sends both as
  25 does.
- 10 and 11 send no ``X-Total-Count`` with the two job lists: nobody has shown it there.
- 10 does not send ``Api-Supported-Versions``, which was seen on 25.4.1.
- Store types bear numbers up to 11 (the SDKs made from those versions have them) and
  names later (kfutil has them). 11 packs ``RequiredWhen`` into flags, as the SDK of
  that version reads it; the order of the flags is that of the object's keys.
- A body field that a version does not know is ignored, not refused. So is the array
  form of JobProperties not ignored but refused by every version but 10, whose page
  describes it.
- ``/CertificateStoreTypes/Name/{name}`` is a list in all of them: no source shows an
  object.
- Job types bear their capability in all of them: that is what recordings show, though
  the pages of 11 and 24 list the bare words (``job_type_prefix`` of the settings).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What one version of Command sends and understands.

    Attributes:
        product_version: ``X-Keyfactor-Product-Version``; empty = not sent.
        supported_versions: ``Api-Supported-Versions``; empty = not sent.
        own_prefix_only: List parameters are known by the endpoint's prefix alone.
        result_names: ``Result`` and ``Status`` are names, not numbers.
        zone_suffix: Times end with ``Z``.
        job_totals: The job lists bear ``X-Total-Count``.
        job_type_prefix: ``PEMReenrollment`` rather than ``Reenrollment``.
        type_names: The enums of store types are names, not numbers.
        required_when_flags: ``RequiredWhen`` is one number, not an object.
        inventory_details: Inventories bear ``CertStoreId`` and ``CertState``.
        properties_array: JobProperties may be an array of one-pair objects.
        newer_fields: The fields of 25.x in the body of a reenrollment are known.
        forest_root: CAs and templates bear ``ForestRoot`` as well, which later gave
            way to ``ConfigurationTenant``.
    """

    product_version: str
    supported_versions: str
    own_prefix_only: bool
    result_names: bool
    zone_suffix: bool
    job_totals: bool
    job_type_prefix: bool
    type_names: bool
    required_when_flags: bool
    inventory_details: bool
    properties_array: bool
    newer_fields: bool
    forest_root: bool


_10 = Dialect(
    product_version="10.3.0",
    supported_versions="",
    own_prefix_only=True,
    result_names=True,
    zone_suffix=False,
    job_totals=False,
    job_type_prefix=True,
    type_names=False,
    required_when_flags=False,
    inventory_details=False,
    properties_array=True,
    newer_fields=False,
    forest_root=True,
)
_11 = Dialect(
    product_version="11.3.0",
    supported_versions="1.0, 2.0",
    own_prefix_only=False,
    result_names=False,
    zone_suffix=False,
    job_totals=False,
    job_type_prefix=True,
    type_names=False,
    required_when_flags=True,
    inventory_details=False,
    properties_array=False,
    newer_fields=False,
    forest_root=True,
)
_24 = Dialect(
    product_version="24.4.2+0b7c94de",
    supported_versions="1.0, 2.0",
    own_prefix_only=False,
    result_names=False,
    zone_suffix=True,
    job_totals=True,
    job_type_prefix=True,
    type_names=True,
    required_when_flags=False,
    inventory_details=False,
    properties_array=False,
    newer_fields=False,
    forest_root=False,
)
_25 = Dialect(
    product_version="25.4.1+5f0c1d3a",
    supported_versions="1.0, 2.0",
    own_prefix_only=False,
    result_names=False,
    zone_suffix=True,
    job_totals=True,
    job_type_prefix=True,
    type_names=True,
    required_when_flags=False,
    inventory_details=True,
    properties_array=False,
    newer_fields=True,
    forest_root=False,
)

#: By major version.
DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {"10": _10, "11": _11, "24": _24, "25": _25}
)
