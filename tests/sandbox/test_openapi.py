"""The OpenAPI description says what is served, in the words of each dialect."""

from __future__ import annotations

import json
from typing import Any, TypedDict
from urllib.parse import quote

import pytest
import schemathesis
from sandbox.rig import caller

from batch_reenroll.cli.main import main
from batch_reenroll.sandbox import Settings, openapi_document
from batch_reenroll.sandbox.dialects import DIALECTS
from batch_reenroll.sandbox.marks import Where
from batch_reenroll.sandbox.schemas import Schemas

BASE = "/KeyfactorAPI"
LISTS = {
    "/CertificateStores": "list_stores",
    "/OrchestratorJobs/ScheduledJobs": "list_scheduled_jobs",
    "/OrchestratorJobs/JobHistory": "list_job_history",
    "/CertificateStoreTypes": "list_store_types",
    "/Agents": "list_agents",
    "/CertificateAuthority": "list_certificate_authorities",
    "/Templates": "list_templates",
}


def document(dialect: str = "25") -> dict[str, Any]:
    return openapi_document(Settings(dialect=dialect))


def operations(described: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, item in described["paths"].items()
        for method, operation in item.items()
    }


def parameters(described: dict[str, Any], path: str) -> dict[str, dict[str, Any]]:
    listed = described["paths"][BASE + path]["get"]["parameters"]
    return {item["name"]: item["schema"] for item in listed}


def shape(dialect: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = document(dialect)["components"]["schemas"][name]
    return found


@pytest.mark.parametrize("dialect", DIALECTS)
def test_it_is_valid_openapi(dialect: str) -> None:
    schemathesis.openapi.from_dict(document(dialect)).validate()


def test_an_operation_is_described_for_each_endpoint_that_is_named() -> None:
    client = caller()
    described = operations(document())
    named = client.get("/Status/Endpoints").json
    own = {name for name, item in described.items() if item.get("x-sandbox-only")}

    assert {name.replace(" ", f" {BASE}", 1) for name in named} == set(described) - own
    assert own == {"GET /KeyfactorAPI/openapi.json"}


def test_the_sandbox_serves_the_description_of_its_dialect_with_ids_of_its_own() -> (
    None
):
    client = caller(dialect="11")
    served = client.get("/openapi.json").json
    (of_path,) = served["paths"][f"{BASE}/CertificateStores/{{id}}"]["get"][
        "parameters"
    ]

    (known,) = of_path["schema"].pop("examples")
    assert client.get(f"/CertificateStores/{known}").status == 200
    assert served["components"] == document("11")["components"]
    assert set(served["paths"]) == set(document("11")["paths"])


def test_the_example_of_a_reenrollment_is_accepted() -> None:
    client = caller()
    served = client.get("/openapi.json").json["paths"]
    body = served[f"{BASE}/CertificateStores/Reenrollment"]["post"]["requestBody"]
    example = body["content"]["application/json"]["examples"]["known"]["value"]

    assert client.post("/CertificateStores/Reenrollment", **example).status == 204


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("dialect", ["10", "25"])
def test_every_described_query_and_sort_field_is_taken(path: str, dialect: str) -> None:
    client = caller(dialect=dialect, nightly_inventory=True)
    described = parameters(document(dialect), path)
    query = next(name for name in described if name.lower().endswith("querystring"))
    sort = next(name for name in described if name.lower().endswith("sortfield"))

    asked = [f"{query}={quote(text)}" for text in described[query]["examples"]]
    asked += [f"{sort}={name}" for name in described[sort]["enum"]]
    assert {client.get(f"{path}?{text}").status for text in asked} == {200}
    assert len(asked) >= 9


def test_parameters_bear_the_names_that_the_dialect_knows() -> None:
    assert "pq.queryString" in parameters(document("10"), "/Agents")
    assert "query.returnLimit" in parameters(
        document("10"), "/CertificateStores/{id}/Inventory"
    )
    assert "QueryString" in parameters(document("24"), "/Agents")


def test_enumerations_are_names_or_numbers_by_dialect() -> None:
    results = {
        dialect: shape(dialect, "JobHistory")["properties"]["Result"]
        for dialect in DIALECTS
    }

    assert results["10"] == {
        "type": "string",
        "enum": ["Unknown", "Success", "Warning", "Failure"],
    }
    assert results["25"] == {"type": "integer", "enum": [0, 2, 3, 4]}
    assert shape("11", "EntryParameter")["properties"]["RequiredWhen"] == {
        "type": "integer"
    }
    assert "$ref" in shape("24", "EntryParameter")["properties"]["RequiredWhen"]


def test_times_are_rfc_3339_only_where_they_bear_a_zone() -> None:
    assert shape("25", "JobHistory")["properties"]["OperationStart"] == {
        "type": "string",
        "format": "date-time",
    }
    assert "format" not in shape("10", "JobHistory")["properties"]["OperationStart"]


def test_the_fields_of_25_are_described_for_25_alone() -> None:
    newer = {"SANs", "EnrollmentPatternId", "Metadata", "Overwrite"}

    assert newer <= shape("25", "ReenrollmentBody")["properties"].keys()
    assert not newer & shape("24", "ReenrollmentBody")["properties"].keys()
    assert "CertStoreId" in shape("25", "Inventory")["required"]
    assert "CertStoreId" not in shape("11", "Inventory")["properties"]


def test_rights_bear_the_names_of_the_dialect() -> None:
    for dialect, right in (
        ("10", "CertificateStoreManagement: Modify"),
        ("11", "/certificate_stores/modify/"),
    ):
        reenroll = operations(document(dialect))[
            "POST /KeyfactorAPI/CertificateStores/Reenrollment"
        ]
        assert right in reenroll["x-required-rights"]


def test_every_refusal_is_described_with_commands_error_body() -> None:
    described = document()
    refusals = described["components"]["responses"].values()
    used = {
        status
        for operation in operations(described).values()
        for status in operation["responses"]
    }

    schemas = [item["content"]["application/json"]["schema"] for item in refusals]
    assert schemas == [{"$ref": "#/components/schemas/Error"}] * len(refusals)
    assert used == {"200", "204", "400", "401", "403", "404", "413", "415"}


def test_a_reference_leads_to_a_schema() -> None:
    described = document()
    text = json.dumps(described)
    named = {
        f"#/components/schemas/{name}" for name in described["components"]["schemas"]
    }

    referred = {part.split('"')[0] for part in text.split('"$ref": "')[1:]}
    assert {item for item in referred if "/schemas/" in item} == named


def test_the_command_prints_the_description(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["sandbox", "openapi", "--dialect", "10"]) == 0

    assert json.loads(capsys.readouterr().out) == document("10")


class Part(TypedDict):
    """What is tested below."""

    always: str
    sometimes: Where


def test_a_type_without_a_schema_is_refused() -> None:
    with pytest.raises(TypeError, match="no schema"):
        Schemas(DIALECTS["25"]).of(Part, closed=True)


def test_an_object_that_is_sent_has_no_other_keys_and_no_nulls() -> None:
    schemas = Schemas(DIALECTS["25"])

    assert schemas.of(str | None, closed=True) == {"type": "string"}
    assert schemas.of(str | None, closed=False)["anyOf"][1] == {"type": "null"}
    assert shape("25", "Store")["additionalProperties"] is False
    assert "additionalProperties" not in shape("25", "ReenrollmentBody")


def test_a_word_in_the_path_is_never_taken_for_an_id() -> None:
    answer = caller().get("/CertificateStores/Reenrollment")

    assert (answer.status, answer.headers["Allow"]) == (405, "POST")


def test_a_total_is_described_where_the_dialect_sends_one() -> None:
    described = {
        dialect: operations(document(dialect))[
            f"GET {BASE}/OrchestratorJobs/JobHistory"
        ]["responses"]["200"]
        for dialect in ("11", "25")
    }

    assert "X-Total-Count" in described["25"]["headers"]
    assert "headers" not in described["11"]
