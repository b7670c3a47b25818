"""The schema files themselves: sound, whole, and told the same twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from batch_reenroll.manifest.columns import COLUMNS
from batch_reenroll.manifest.schema import faults_of_row, load_schema

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", ["row", "manifest"])
def test_the_program_loads_the_file_of_the_source_tree(name: str) -> None:
    path = ROOT / "schemas" / f"{name}.v1.schema.json"
    assert load_schema(name) == json.loads(path.read_text())


@pytest.mark.parametrize("name", ["row", "manifest"])
def test_each_schema_is_a_2020_12_schema(name: str) -> None:
    schema = load_schema(name)
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"].endswith(f"/{name}.v1.schema.json")


def test_the_manifest_schema_carries_the_row_schema_word_for_word() -> None:
    assert load_schema("manifest")["$defs"]["row"] == load_schema("row")


def test_the_row_schema_knows_exactly_the_columns() -> None:
    assert set(load_schema("row")["properties"]) == set(COLUMNS)


def properties_of(schema: Any) -> list[tuple[str, Any]]:
    if isinstance(schema, list):
        return [pair for item in schema for pair in properties_of(item)]
    if not isinstance(schema, dict):
        return []
    own = [
        pair
        for pair in schema.get("properties", {}).items()
        if isinstance(pair[1], dict)
    ]
    inner = [item for key, item in schema.items() if key not in {"if", "else"}]
    return own + [pair for item in inner for pair in properties_of(item)]


def test_every_property_is_described_for_editors() -> None:
    bare = [
        name
        for name, schema in properties_of(load_schema("manifest"))
        if not {"title", "description"} <= schema.keys()
        and not schema.get("$ref", "").startswith(load_schema("row")["$id"])
    ]
    assert bare == []


@pytest.mark.parametrize(
    "name", ["campaign.yaml", "rows-from.yaml", "ca-distrust.yaml"]
)
def test_other_tools_find_the_examples_valid_by_the_schema(name: str) -> None:
    document = yaml.safe_load((ROOT / "manifests" / name).read_text())
    Draft202012Validator(load_schema("manifest")).validate(document)


def test_rows_that_lack_what_no_default_gives_are_invalid_to_other_tools() -> None:
    rows = [
        {"KeystoreId": "0f8fad5b-d9cb-469f-a165-70867728950e", "SubjectName": "CN=a"}
    ]
    judge = Draft202012Validator(load_schema("manifest"))
    assert not judge.is_valid({"version": 1, "rows": rows})
    assert judge.is_valid({"version": 1, "defaults": {"Alias": "a"}, "rows": rows})


def test_a_guid_with_a_fault_is_found_although_format_is_only_an_annotation() -> None:
    row = {"KeystoreId": "nope", "SubjectName": "CN=a", "Alias": "a"}
    assert [fault.code for fault in faults_of_row(row)] == ["guid_invalid"]
