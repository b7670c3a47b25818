"""How versions of Command name their query parameters, and which one answers us.

Up to 10.x a list endpoint wants ``pq.queryString`` and the like, the prefix depending
on the endpoint; from 11 on the names stand alone (keyfactor-command.md 2.1, 3.1, 4).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum

from batch_reenroll.text import visible

PRODUCT_VERSION = "x-keyfactor-product-version"
_SUPPORTED_VERSIONS = "api-supported-versions"

#: The last major version whose pages show prefixed names.
LAST_PREFIXED_MAJOR = 10

_MAJOR = re.compile(r"\s*v?(\d{1,4})(?:[.+-].*)?\s*", re.ASCII | re.DOTALL)


class Family(StrEnum):
    """The two families of query names."""

    PREFIXED = "prefixed"
    PLAIN = "plain"


class Endpoint(StrEnum):
    """List endpoints; the value is the prefix of their 10.x query names."""

    JOBS = "pq"
    AGENTS = "pq"
    STORES = "certificateStoreQuery"
    STORE_TYPES = "cstquery"
    INVENTORY = "query"
    # As the SDKs made from 10.x have them.
    AUTHORITIES = "pq"
    TEMPLATES = "sq"
    CERTIFICATES = "pq"


def family_of_version(version: str) -> Family | None:
    """Return the family of a product version (``25.4.1+abc``), None if unreadable."""
    match = _MAJOR.fullmatch(version)
    if match is None:
        return None
    major = int(match.group(1))
    return Family.PREFIXED if major <= LAST_PREFIXED_MAJOR else Family.PLAIN


def family_shown(headers: Mapping[str, str]) -> Family | None:
    """Return the family that an answer's headers (lower-case names) show, or None."""
    family = family_of_version(headers.get(PRODUCT_VERSION, ""))
    if family is None and _SUPPORTED_VERSIONS in headers:
        return Family.PLAIN
    return family


def shown_version(headers: Mapping[str, str]) -> str:
    """Return the product version in an answer's headers (lower-case names), or ""."""
    return visible(headers.get(PRODUCT_VERSION, ""), 100)


def parse_dialect(text: str) -> Family | None:
    """Return the family that a user's ``dialect`` asks for; None means find out.

    Args:
        text: ``auto``, ``prefixed``, ``plain``, or a version (``10``, ``25.4``).

    Raises:
        ValueError: Anything else.
    """
    word = text.strip().lower()
    if word == "auto":
        return None
    if word in {"prefixed", "plain"}:
        return Family(word)
    family = family_of_version(word)
    if family is None:
        message = "expected auto, prefixed, plain or a version such as 10 or 25.4"
        raise ValueError(message)
    return family


def query_name(family: Family, endpoint: Endpoint, name: str) -> str:
    """Return ``name`` (``QueryString``, …) as ``family`` spells it at ``endpoint``."""
    if family is Family.PLAIN:
        return name
    return f"{endpoint.value}.{name[0].lower()}{name[1:]}"
