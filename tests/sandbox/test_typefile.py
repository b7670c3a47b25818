"""Custom store types from a file as kfutil has it."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox.rig import caller, rows_of

from batch_reenroll.sandbox import FleetPlan, SandboxError, load_store_types
from batch_reenroll.sandbox.jsonread import BadShape
from batch_reenroll.sandbox.storetypes import ParameterKind, Policy
from batch_reenroll.sandbox.typefile import FIRST_NUMBER, read_store_types

WIDGET: dict[str, Any] = {
    "Name": "Widget Gateway",
    "ShortName": "Widget",
    "Capability": "WidgetU",
    "LocalStore": False,
    "SupportedOperations": {
        "Add": True,
        "Create": False,
        "Discovery": False,
        "Enrollment": True,
        "Remove": True,
    },
    "Properties": [
        {
            "Name": "ServerUseSsl",
            "DisplayName": "Use SSL",
            "Type": "Bool",
            "DependsOn": "",
            "DefaultValue": True,
            "Required": True,
        }
    ],
    "EntryParameters": [
        {
            "Name": "Slot",
            "DisplayName": "Slot Name",
            "Type": "string",
            "RequiredWhen": {"HasPrivateKey": False, "OnReenrollment": True},
            "DependsOn": None,
            "DefaultValue": 1,
            "Options": None,
        },
        {
            "Name": "Mode",
            "Type": "MultipleChoice",
            "Options": "fast, slow",
            "DefaultValue": "fast",
        },
    ],
    "PasswordOptions": {
        "EntrySupported": False,
        "StoreRequired": True,
        "Style": "Default",
    },
    "PrivateKeyAllowed": "Required",
    "JobProperties": [],
    "ServerRequired": True,
    "PowerShell": False,
    "BlueprintAllowed": False,
    "CustomAliasAllowed": "Required",
}


def read(*items: object) -> Any:
    return read_store_types(json.dumps(items).encode())


def test_a_type_is_read_whole() -> None:
    (kind,) = read(WIDGET)
    slot, mode = kind.entry_parameters

    assert (kind.name, kind.short_name, kind.capability) == (
        "Widget Gateway",
        "Widget",
        "WidgetU",
    )
    assert (kind.reenrollable, kind.operations.discovery) == (True, False)
    assert (kind.custom_alias, kind.private_key) == (Policy.REQUIRED, Policy.REQUIRED)
    assert (slot.kind, slot.default) == (ParameterKind.STRING, "1")
    assert (slot.on_reenrollment, slot.on_add) == (True, False)
    assert mode.options == ("fast", "slow")
    assert kind.properties[0].default == "true"
    assert kind.password_required


def test_types_are_numbered_in_the_order_of_the_file() -> None:
    kinds = read(WIDGET, WIDGET | {"Name": "Other", "ShortName": "Other"})

    assert [kind.number for kind in kinds] == [FIRST_NUMBER, FIRST_NUMBER + 1]
    assert len({guid for kind in kinds for guid in kind.job_type_guids}) == 8


def test_types_may_share_a_short_name() -> None:
    kinds = tuple(read(WIDGET, WIDGET | {"Name": "Other"}))
    client = caller(FleetPlan(stores=1, store_types=kinds))
    found = client.get("/CertificateStoreTypes/Name/Widget").json
    (agent,) = client.get("/Agents").json[:1]

    assert [kind["Name"] for kind in found] == ["Widget Gateway", "Other"]
    assert agent["Capabilities"].count("CertStores.WidgetU.Reenrollment") == 1


def test_a_single_type_needs_no_array_and_most_keys_may_be_missing() -> None:
    (kind,) = read_store_types(b'{"Name": "Bare", "ShortName": "B"}')

    assert (kind.capability, kind.reenrollable) == ("B", False)
    assert kind.custom_alias is Policy.OPTIONAL


@pytest.mark.parametrize(("value", "policy"), [(0, 0), ("forbidden", 0), (2, 2)])
def test_enums_may_be_numbers_or_names(value: object, policy: int) -> None:
    (kind,) = read(WIDGET | {"CustomAliasAllowed": value})

    assert kind.custom_alias == policy


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ShortName": ""}, "store type 1: ShortName is required"),
        ({"Name": None}, "store type 1: Name is required"),
        ({"ShortName": ["x"]}, "store type 1: ShortName must be a string"),
        ({"CustomAliasAllowed": "Maybe"}, "one of Forbidden, Optional, Required"),
        ({"CustomAliasAllowed": 3}, "one of Forbidden, Optional, Required"),
        ({"ServerRequired": "yes"}, "ServerRequired must be true or false"),
        (
            {"SupportedOperations": []},
            "store type 1: SupportedOperations must be an object",
        ),
        ({"EntryParameters": {}}, "EntryParameters must be an array"),
        ({"EntryParameters": [1]}, "store type 1.EntryParameters[0]: expected an obj"),
        ({"Properties": [{"Name": "a", "Type": "Date"}]}, "Properties[0]: Type must"),
        ({"JobProperties": ["Vserver"]}, "EntryParameters or JobProperties, not both"),
        ({"JobProperties": [1]}, "JobProperties must hold strings"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(
    changes: dict[str, object], words: str
) -> None:
    with pytest.raises(BadShape) as caught:
        read(WIDGET | changes)

    assert words in str(caught.value)
    assert len(caught.value.problems) == 1


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(BadShape) as caught:
        read({"Name": 1, "ShortName": None}, 5, WIDGET, WIDGET)

    text = str(caught.value)
    assert "store type 1: ShortName is required" in text
    assert "store type 2: expected an object" in text
    assert "two store types have the name widget gateway" in text


@pytest.mark.parametrize("data", [b"", b"[", b"[]", b"7", b"\xff", b"[" * 100_000])
def test_a_file_that_holds_no_types_is_refused(data: bytes) -> None:
    with pytest.raises(BadShape):
        read_store_types(data)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from([*WIDGET, "Type", "Options"]), inner)
        ),
        max_leaves=12,
    )
)
def test_any_json_is_read_or_refused(value: object) -> None:
    with suppress(BadShape):
        kinds = read_store_types(json.dumps(value).encode())
        assert all(kind.short_name for kind in kinds)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match=r"nowhere\.json: No such file"):
        load_store_types(tmp_path / "nowhere.json")


def test_stores_of_a_type_from_a_file_are_served_and_reenrolled(tmp_path: Path) -> None:
    path = tmp_path / "types.json"
    path.write_text(json.dumps([WIDGET]))
    plan = FleetPlan(stores=40, store_types=load_store_types(path))
    client = caller(plan)
    row = next(row for row in rows_of(client) if row["StoreType"] == "Widget")
    (kind,) = client.get("/CertificateStoreTypes/Name/widget").json

    assert kind["StoreType"] == FIRST_NUMBER
    assert kind["EntryParameters"][1]["Options"] == "fast,slow"
    assert client.reenroll(row).status == 400  # Slot is required
    assert client.reenroll(row, JobProperties={"Slot": "a"}).status == 204
    client.wait(60.0)
    (job,) = client.reenrollments()
    assert (job["JobType"], job["Result"]) == ("WidgetUReenrollment", 2)
