"""Whether a store can be reenrolled, and whether a request fits the store's type.

Pure. ``intake`` refuses with these words where ``post_checks`` is strict, and where it
is lax the job fails with them. undocumented: all of the words, and which of them a
POST of Command itself looks at.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from batch_reenroll.sandbox.state import (
    APPROVED,
    REENROLLMENT,
    Orchestrator,
    Store,
    Wish,
)
from batch_reenroll.sandbox.storetypes import EntryParameter, ParameterKind, StoreType

NO_KEY_GENERATION = (
    "The agent does not support key generation for this certificate store."
)


def store_fault(store: Store, agent: Orchestrator) -> str:
    """Return why ``store`` cannot be reenrolled, or an empty string.

    It is what ``ReenrollmentStatus.Message`` says; of its words only those about key
    generation are known (keyfactor-command.md 4.1).
    """
    kind = store.plan.store_type
    needed = f"CertStores.{kind.capability}.{REENROLLMENT}"
    if not kind.reenrollable or needed not in agent.capabilities:
        return NO_KEY_GENERATION
    if not store.approved:
        return "The certificate store has not been approved."
    if agent.status != APPROVED:
        return "The orchestrator of this certificate store is not approved."
    return ""


def wish_fault(kind: StoreType, wish: Wish, held_aliases: Collection[str]) -> str:
    """Return why a job of ``kind`` cannot do what ``wish`` asks, or an empty string.

    Args:
        kind: The type of the store.
        wish: What is asked.
        held_aliases: What Command knows the store to hold.
    """
    known = {item.lower() for item in held_aliases}
    if kind.alias_is_thumbprint and wish.alias.lower() not in known:
        return (
            f"Custom aliases are forbidden in store type {kind.short_name}: Alias must "
            "be that of a certificate in the store"
        )
    return _property_fault(kind, wish.properties)


def canonical(kind: StoreType, given: Mapping[str, object]) -> dict[str, str]:
    """Return the values of ``given`` as text, by the names that ``kind`` gives them.

    A name that the type does not have stays as it is; what is empty is left out.
    """
    names = [item.name for item in kind.entry_parameters] + [*kind.job_properties]
    spelled = {name.lower(): name for name in names}
    return {
        spelled.get(name.lower(), name): _text(value)
        for name, value in given.items()
        if value not in (None, "", [], {})
    }


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _property_fault(kind: StoreType, given: Mapping[str, str]) -> str:
    parameters = {item.name: item for item in kind.entry_parameters}
    for name in given:
        if name not in parameters and name not in kind.job_properties:
            return f"JobProperties has no {name[:40]} in store type {kind.short_name}"
    for item in kind.entry_parameters:
        value = given.get(item.name)
        if value is None and _is_needed(item, given):
            # undocumented: a default is what the portal fills in; the API does not.
            return f"{item.name} is required on reenrollment"
        if value is not None and (fault := _value_fault(item, value)):
            return fault
    return ""


def _is_needed(item: EntryParameter, given: Mapping[str, str]) -> bool:
    """Return whether ``item`` must be given.

    undocumented: one that depends on another is needed only where that one is given
    and is not false.
    """
    if not item.on_reenrollment:
        return False
    return not item.depends_on or (
        given.get(item.depends_on, "false").lower() != "false"
    )


def _value_fault(item: EntryParameter, value: str) -> str:
    word = value.casefold()
    if item.kind is ParameterKind.BOOL and word not in ("true", "false"):
        return f"{item.name} must be true or false"
    options = {option.casefold() for option in item.options}
    if item.kind is ParameterKind.MULTIPLE_CHOICE and options and word not in options:
        return f"{item.name} must be one of {', '.join(item.options)}"
    return ""
