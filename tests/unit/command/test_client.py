"""The client over a scripted transport: what it asks, and what answers mean to it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from unit.command.scripted import (
    PLAIN,
    PREFIXED,
    Asked,
    Reply,
    ScriptedAuth,
    ScriptedTransport,
    json_answer,
    page_of,
)

from batch_reenroll.campaign.nouns import JobRecord, Page, ReenrollmentRequest
from batch_reenroll.command.answer import Answer
from batch_reenroll.command.client import CommandClient
from batch_reenroll.command.dialect import Family
from batch_reenroll.command.query import MAX_QUERY_STRING_BYTES, encode
from batch_reenroll.command.secret import Redactor
from batch_reenroll.errors import (
    CommandError,
    ContractViolation,
    NotAuthorised,
    NotSent,
    OutcomeUnknown,
    Refused,
    SignInRenewed,
    Throttled,
)
from batch_reenroll.runner.ports import MAX_JOB_IDS

if TYPE_CHECKING:
    from batch_reenroll.runner.ports import Command

pytestmark = pytest.mark.asyncio

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
STORE = "11111111-aaaa-4bbb-8ccc-000000000001"
AGENT = "22222222-aaaa-4bbb-8ccc-000000000002"
JOB = "33333333-aaaa-4bbb-8ccc-000000000003"
REQUEST = ReenrollmentRequest(
    keystore_id=STORE, subject_name='CN=a,O="Key, Inc."', agent_guid=AGENT, alias="web"
)


def client_of(
    *replies: Reply,
    auth: ScriptedAuth | None = None,
    dialect: Family | None = Family.PLAIN,
    secrets: tuple[str, ...] = (),
    as_array: bool = False,
) -> tuple[CommandClient, ScriptedTransport]:
    transport = ScriptedTransport(list(replies))
    client = CommandClient(
        transport,
        auth or ScriptedAuth(),
        now_utc=lambda: NOW,
        redactor=Redactor(secrets),
        dialect=dialect,
        job_properties_as_array=as_array,
    )
    return client, transport


def row(
    history_id: int, job_id: str = JOB, kind: str = "WinCertReenrollment"
) -> object:
    return {"JobHistoryId": history_id, "JobId": job_id, "JobType": kind}


async def first_page(client: CommandClient, **asked: Any) -> Page[JobRecord]:
    page = await client.job_history(**asked).read()
    assert page is not None
    return page


async def submit_answered(answer: Answer) -> CommandError:
    client, _ = client_of(answer)
    with pytest.raises(CommandError) as caught:
        await client.submit(REQUEST)
    return caught.value


async def test_the_client_is_the_runners_command_port() -> None:
    client, _ = client_of(Answer(status=204))
    port: Command = client  # checked by mypy
    assert port.requests["submit"] == 0


class TestSubmit:
    async def test_any_2xx_is_returned(self) -> None:
        client, _ = client_of(Answer(status=204))
        assert await client.submit(REQUEST) == 204

    async def test_what_was_not_given_is_left_out_of_the_body(self) -> None:
        client, transport = client_of(Answer(status=204))
        await client.submit(REQUEST)
        [asked] = transport.asked
        assert (asked.method, asked.path) == ("POST", "/CertificateStores/Reenrollment")
        assert asked.body == {
            "KeystoreId": STORE,
            "SubjectName": 'CN=a,O="Key, Inc."',
            "AgentGuid": AGENT,
            "Alias": "web",
        }

    async def test_what_was_given_is_sent_under_the_names_of_the_api(self) -> None:
        client, transport = client_of(Answer(status=204))
        request = ReenrollmentRequest(
            keystore_id=STORE,
            subject_name="CN=a",
            agent_guid=AGENT,
            alias="web",
            job_properties={"SiteName": "Default", "Port": 443},
            certificate_authority=r"ca01\Corp CA",
            certificate_template="WebServer",
            sans={"dns": ["a", "b"]},
            enrollment_pattern_id=0,
            metadata={"Department": "IT"},
            additional_enrollment_fields={"Application": "web shop"},
            owner_role_name="PKI Operators",
        )
        await client.submit(request)
        assert transport.asked[0].body == {
            "KeystoreId": STORE,
            "SubjectName": "CN=a",
            "AgentGuid": AGENT,
            "Alias": "web",
            "JobProperties": {"SiteName": "Default", "Port": 443},
            "CertificateAuthority": r"ca01\Corp CA",
            "CertificateTemplate": "WebServer",
            "SANs": {"dns": ["a", "b"]},
            "EnrollmentPatternId": 0,
            "Metadata": {"Department": "IT"},
            "AdditionalEnrollmentFields": {"Application": "web shop"},
            "OwnerRoleName": "PKI Operators",
        }

    async def test_job_properties_are_an_array_of_pairs_by_option(self) -> None:
        client, transport = client_of(Answer(status=204), as_array=True)
        request = ReenrollmentRequest(
            keystore_id=STORE,
            subject_name="CN=a",
            agent_guid=AGENT,
            alias="web",
            job_properties={"A": 1, "B": 2},
        )
        await client.submit(request)
        body = transport.asked[0].body
        assert body is not None
        assert body["JobProperties"] == [{"A": 1}, {"B": 2}]

    @pytest.mark.parametrize(
        ("status", "kind", "code"),
        [
            (302, Refused, "redirected"),
            (400, Refused, "refused"),
            (404, Refused, "refused"),
            (408, OutcomeUnknown, "request_timeout"),
            (409, Refused, "refused"),
            (413, Refused, "refused"),
            (429, Throttled, "throttled"),
            (500, OutcomeUnknown, "server_error"),
            (502, OutcomeUnknown, "server_error"),
            (503, OutcomeUnknown, "server_error"),
        ],
    )
    async def test_each_status_says_what_to_do_next(
        self, status: int, kind: type[CommandError], code: str
    ) -> None:
        error = await submit_answered(Answer(status=status))
        assert (type(error), error.code, error.status) == (kind, code, status)

    async def test_a_refusal_keeps_commands_code_and_message(self) -> None:
        body = {"ErrorCode": "0xA011004A", "Message": "Invalid sort field: X."}
        error = await submit_answered(json_answer(body, 400))
        assert error.error_code == "0xA011004A"
        assert error.message.endswith("400 0xA011004A: Invalid sort field: X.")

    async def test_failed_operations_are_part_of_the_message(self) -> None:
        body = {"Message": "No.", "FailedOperations": [{"Reason": "a"}, {}, 3]}
        error = await submit_answered(json_answer(body, 400))
        assert error.message.endswith(": No.; a")

    async def test_a_web_page_is_named_and_hints_at_the_path(self) -> None:
        error = await submit_answered(Answer(status=404, body=b"<html>IIS</html>"))
        assert "an HTML page" in error.message
        assert "KEYFACTOR_API_PATH" in error.hint

    async def test_a_forbidden_post_names_the_rights_of_both_families(self) -> None:
        error = await submit_answered(Answer(status=403))
        assert (type(error), error.status) == (NotAuthorised, 403)
        for right in (
            "CertificateEnrollment: EnrollCSR",
            "CertificateStoreManagement: Modify",
            "/certificates/enrollment/csr/",
            "/certificate_stores/modify/",
        ):
            assert right in error.message

    async def test_a_proxy_that_wants_credentials_is_named(self) -> None:
        error = await submit_answered(Answer(status=407))
        assert "proxy" in error.hint

    @pytest.mark.parametrize("location", ["", "/elsewhere", "https://[::1"])
    async def test_a_redirect_to_nowhere_is_refused_too(self, location: str) -> None:
        error = await submit_answered(
            Answer(status=302, headers={"location": location})
        )
        assert isinstance(error, Refused)

    async def test_a_redirect_names_the_host_and_not_the_whole_address(self) -> None:
        headers = {"location": "https://login.example.com/authorize?state=S3CR"}
        error = await submit_answered(Answer(status=302, headers=headers))
        assert "login.example.com" in error.hint
        assert "S3CR" not in error.hint

    @pytest.mark.parametrize("status", [429, 503])
    async def test_retry_after_is_kept(self, status: int) -> None:
        answer = Answer(status=status, headers={"retry-after": "7"})
        assert (await submit_answered(answer)).retry_after_s == 7.0

    async def test_a_retry_after_date_counts_from_the_servers_own_clock(self) -> None:
        headers = {
            "retry-after": "Mon, 23 Nov 2026 18:00:30 GMT",
            "date": "Mon, 23 Nov 2026 18:00:00 GMT",
        }
        answer = Answer(status=429, headers=headers)
        assert (await submit_answered(answer)).retry_after_s == 30.0

    async def test_a_retry_after_date_without_date_counts_from_our_clock(self) -> None:
        headers = {"retry-after": "Mon, 23 Nov 2026 12:00:45 GMT"}
        answer = Answer(status=429, headers=headers)
        assert (await submit_answered(answer)).retry_after_s == 45.0

    async def test_secrets_and_control_characters_never_reach_a_message(self) -> None:
        told = {"ErrorCode": "0x1", "Message": "bad hunter22!\x1b[31m hunter22%21"}
        client, _ = client_of(json_answer(told, 400), secrets=("hunter22!",))
        with pytest.raises(Refused) as caught:
            await client.submit(REQUEST)
        assert "hunter" not in caught.value.message
        assert "\x1b" not in caught.value.message

    async def test_a_401_may_be_sent_again_with_another_token(self) -> None:
        """In a turn of its own: the pace counts every request that leaves."""
        auth = ScriptedAuth(tokens=["old", "new"])
        client, transport = client_of(Answer(status=401), Answer(status=204), auth=auth)
        with pytest.raises(SignInRenewed) as caught:
            await client.submit(REQUEST)
        assert (caught.value.status, len(transport.asked)) == (401, 1)
        assert await client.submit(REQUEST) == 204
        sent = [asked.headers["Authorization"] for asked in transport.asked]
        assert sent == ["Bearer old", "Bearer new"]
        assert client.requests["submit"] == 2

    async def test_a_second_401_is_not_tried_again(self) -> None:
        auth = ScriptedAuth(tokens=["a", "b", "c"])
        client, transport = client_of(Answer(status=401), auth=auth)
        with pytest.raises(SignInRenewed):
            await client.submit(REQUEST)
        with pytest.raises(NotAuthorised) as caught:
            await client.submit(REQUEST)
        assert (caught.value.status, len(transport.asked)) == (401, 2)

    async def test_a_token_that_was_good_meanwhile_may_be_replaced_again(self) -> None:
        auth = ScriptedAuth(tokens=["a", "b", "c"])
        refused, good = Answer(status=401), Answer(status=204)
        client, _ = client_of(refused, good, refused, good, auth=auth)
        for _ in range(2):
            with pytest.raises(SignInRenewed):
                await client.submit(REQUEST)
            assert await client.submit(REQUEST) == 204

    async def test_a_401_that_cannot_be_refreshed_is_not_sent_again(self) -> None:
        client, transport = client_of(Answer(status=401))
        with pytest.raises(NotAuthorised):
            await client.submit(REQUEST)
        assert len(transport.asked) == 1

    @pytest.mark.parametrize("error", [NotSent("x"), OutcomeUnknown("y")])
    async def test_a_transport_error_is_passed_on_and_not_retried(
        self, error: CommandError
    ) -> None:
        client, transport = client_of(error)
        with pytest.raises(type(error)):
            await client.submit(REQUEST)
        assert len(transport.asked) == 1


class TestJobHistory:
    async def test_it_asks_newest_first_for_reenrollments_of_one_agent(self) -> None:
        client, transport = client_of(json_answer([]))
        await first_page(client, limit=100, agent_id=AGENT)
        [asked] = transport.asked
        assert asked.path == "/OrchestratorJobs/JobHistory"
        assert asked.params == {
            "QueryString": 'JobType -contains "Reenrollment"'
            f' AND AgentId -eq "{AGENT}"',
            "PageReturned": "1",
            "ReturnLimit": "100",
            "SortField": "JobHistoryId",
            "SortAscending": "1",
        }

    async def test_several_job_ids_are_joined_by_or(self) -> None:
        client, transport = client_of(json_answer([]))
        await first_page(client, limit=50, job_ids=["B", "a"])
        query = transport.asked[0].params["QueryString"]
        assert query.endswith(' AND (JobId -eq "a" OR JobId -eq "b")')

    @pytest.mark.parametrize("family", list(Family))
    async def test_the_most_job_ids_pass_a_default_iis(self, family: Family) -> None:
        client, transport = client_of(json_answer([]), dialect=family)
        ids = [f"{n:08d}-aaaa-4bbb-8ccc-000000000003" for n in range(MAX_JOB_IDS)]
        await first_page(client, limit=1000, agent_id=AGENT, job_ids=ids)
        sent = encode(tuple(transport.asked[0].params.items()))
        assert len(sent) <= MAX_QUERY_STRING_BYTES

    async def test_more_job_ids_than_a_query_holds_are_our_mistake(self) -> None:
        client, _ = client_of(json_answer([]))
        ids = [f"{n:08d}-aaaa-4bbb-8ccc-000000000003" for n in range(40)]
        with pytest.raises(ValueError, match="ask for less"):
            await first_page(client, limit=1000, job_ids=ids)

    async def test_the_total_and_the_servers_time_are_told(self) -> None:
        headers = {
            **PLAIN,
            "x-total-count": "812",
            "date": "Mon, 23 Nov 2026 18:00:00 GMT",
        }
        client, _ = client_of(json_answer([row(5)], headers=headers))
        page = await first_page(client, limit=100)
        assert page.total == 812
        assert page.server_time == datetime(2026, 11, 23, 18, tzinfo=UTC)

    async def test_rows_of_other_kinds_are_left_out(self) -> None:
        rows = [row(9), row(8, kind="WinCertInventory"), row(7)]
        client, _ = client_of(json_answer(rows))
        page = await first_page(client, limit=100)
        assert [item.history_id for item in page.items] == [9, 7]

    async def test_a_page_of_other_kinds_only_is_not_taken_for_the_end(self) -> None:
        rows = [row(n, kind="WinCertInventory") for n in range(30, 10, -1)]
        client, _ = client_of(page_of([*rows, row(7)], cap=10))
        sweep = client.job_history(limit=100, above=0)
        pages = [await sweep.read() for _ in range(4)]
        assert [page and len(page.items) for page in pages] == [0, 0, 1, None]

    async def test_other_jobs_than_asked_for_are_left_out(self) -> None:
        other = "44444444-aaaa-4bbb-8ccc-000000000003"
        client, _ = client_of(json_answer([row(9, other), row(8, JOB.upper())]))
        page = await first_page(client, limit=100, job_ids=[JOB.upper()])
        assert [item.job_id for item in page.items] == [JOB]

    async def test_an_echoed_secret_is_taken_out_of_a_jobs_message(self) -> None:
        told = {**PLAIN}
        item = {"JobHistoryId": 1, "JobId": JOB, "Message": "login hunter22 failed"}
        client, _ = client_of(json_answer([item], headers=told), secrets=("hunter22",))
        page = await first_page(client, limit=10)
        assert page.items[0].message == "login ******** failed"

    async def test_a_forbidden_read_names_the_rights_of_both_families(self) -> None:
        client, _ = client_of(Answer(status=403))
        with pytest.raises(NotAuthorised) as caught:
            await first_page(client, limit=10)
        assert "AgentManagement: Read" in caught.value.message
        assert "/agents/management/read/" in caught.value.message

    @pytest.mark.parametrize(("page", "limit"), [(0, 10), (1, 0)])
    async def test_pages_and_limits_count_from_one(self, page: int, limit: int) -> None:
        client, _ = client_of(json_answer([]))
        with pytest.raises(ValueError, match="1 or more"):
            await client.scheduled_jobs(page=page, limit=limit)


class TestDialect:
    @pytest.mark.parametrize(
        ("headers", "name"),
        [
            ({"x-keyfactor-product-version": "10.4.2"}, "pq.returnLimit"),
            ({"x-keyfactor-product-version": "9"}, "pq.returnLimit"),
            ({"x-keyfactor-product-version": "11.0.0"}, "ReturnLimit"),
            ({"x-keyfactor-product-version": "25.4.1+0f"}, "ReturnLimit"),
            ({"api-supported-versions": "1.0, 2.0"}, "ReturnLimit"),
            ({}, "pq.returnLimit"),
        ],
    )
    async def test_the_first_answer_decides_the_query_names(
        self, headers: dict[str, str], name: str
    ) -> None:
        client, transport = client_of(
            Answer(status=200, headers=headers, body=b"[]"), dialect=None
        )
        await client.scheduled_jobs(page=1, limit=10)
        await client.scheduled_jobs(page=2, limit=10)
        paths = [asked.path for asked in transport.asked]
        assert paths == [
            "/Status/Endpoints",
            *["/OrchestratorJobs/ScheduledJobs"] * 2,
        ]
        assert all(name in asked.params for asked in transport.asked[1:])

    async def test_a_chosen_dialect_is_not_probed(self) -> None:
        client, transport = client_of(
            json_answer([], headers=PLAIN), dialect=Family.PREFIXED
        )
        await client.stores(page=1, limit=10)
        assert transport.asked[0].params == {
            "certificateStoreQuery.pageReturned": "1",
            "certificateStoreQuery.returnLimit": "10",
        }

    async def test_each_endpoint_has_its_own_prefix(self) -> None:
        client, transport = client_of(json_answer([]), dialect=Family.PREFIXED)
        await client.orchestrators(page=1, limit=10)
        await client.store_types()
        await client.inventory(STORE)
        prefixes = [next(iter(a.params)).split(".")[0] for a in transport.asked]
        assert prefixes == ["pq", "cstquery", "query"]

    async def test_a_submission_teaches_the_dialect_too(self) -> None:
        client, _ = client_of(Answer(status=204, headers=PREFIXED), dialect=None)
        await client.submit(REQUEST)
        assert client.family is Family.PREFIXED

    async def test_the_other_names_are_tried_when_a_query_is_ignored(self) -> None:
        def only_plain(asked: Asked) -> Answer:
            mixed = [row(9, kind="X"), row(8)]
            heeded = "QueryString" in asked.params
            return json_answer([row(8)] if heeded else mixed, headers={})

        client, transport = client_of(only_plain, dialect=None)
        page = await first_page(client, limit=10)
        await first_page(client, limit=10)
        assert [item.history_id for item in page.items] == [8]
        assert client.family is Family.PLAIN
        assert len(transport.asked) == 5  # probe, ignored, heeded, ignored; once more

    async def test_the_other_names_are_tried_when_an_order_is_ignored(self) -> None:
        def only_plain(asked: Asked) -> Answer:
            ids = (9, 8) if "SortField" in asked.params else (8, 9)
            return json_answer([row(n) for n in ids], headers={})

        client, transport = client_of(only_plain, dialect=None)
        page = await first_page(client, limit=10)
        assert [item.history_id for item in page.items] == [9, 8]
        assert client.family is Family.PLAIN
        assert len(transport.asked) == 4  # probe, ignored, heeded, ignored again

    async def test_one_odd_answer_changes_no_names(self) -> None:
        answers = [json_answer([row(8), row(9)]), *[json_answer([row(9), row(8)])] * 2]
        client, transport = client_of(json_answer([]), *answers, dialect=None)
        page = await first_page(client, limit=10)
        assert [item.history_id for item in page.items] == [9, 8]
        assert client.family is Family.PLAIN
        assert len(transport.asked) == 4

    async def test_other_names_that_the_server_refuses_are_not_taken(self) -> None:
        odd = json_answer([row(8), row(9)])
        client, _ = client_of(
            json_answer([]), odd, Answer(status=400), odd, dialect=None
        )
        page = await first_page(client, limit=10)
        assert [item.history_id for item in page.items] == [9, 8]
        assert client.family is Family.PLAIN

    async def test_the_names_in_use_are_kept_when_the_others_are_no_better(
        self,
    ) -> None:
        mixed = [row(9, kind="X"), row(8)]
        client, transport = client_of(
            json_answer(mixed, headers=PREFIXED), dialect=None
        )
        for _ in range(5):
            page = await first_page(client, limit=10)
            assert [item.history_id for item in page.items] == [8]
        assert client.family is Family.PREFIXED
        assert len(transport.asked) == 9  # the probe, both names 3 times, one twice

    async def test_readers_at_the_same_time_share_one_probe(self) -> None:
        client, transport = client_of(json_answer([]), dialect=None)
        await asyncio.gather(*(client.stores(page=n, limit=10) for n in (1, 2, 3)))
        paths = [asked.path for asked in transport.asked]
        assert paths.count("/Status/Endpoints") == 1

    async def test_an_overloaded_probe_fixes_no_dialect(self) -> None:
        client, _ = client_of(Answer(status=503), dialect=None)
        with pytest.raises(OutcomeUnknown):
            await client.stores(page=1, limit=10)
        assert client.family is None

    async def test_the_version_is_learned_from_any_answer(self) -> None:
        client, _ = client_of(
            json_answer([], headers={}), json_answer([]), json_answer([], headers={})
        )
        seen = []
        for _ in range(3):
            await client.stores(page=1, limit=10)
            seen.append(client.version)
        assert seen == ["", "25.4.1+ab", "25.4.1+ab"]

    async def test_the_product_version_is_told(self) -> None:
        client, _ = client_of(json_answer(["/x"]), dialect=None)
        assert await client.product_version() == "25.4.1+ab"

    async def test_credentials_that_are_not_accepted_are_told_by_the_probe(
        self,
    ) -> None:
        client, _ = client_of(Answer(status=401), dialect=None)
        with pytest.raises(NotAuthorised):
            await client.product_version()


class TestReads:
    async def test_a_store_that_command_does_not_know_is_none(self) -> None:
        client, _ = client_of(json_answer({"Message": "not found"}, 404))
        assert await client.store(STORE) is None

    async def test_a_404_web_page_is_no_answer_about_a_store(self) -> None:
        client, _ = client_of(Answer(status=404, body=b"<!DOCTYPE html>"))
        with pytest.raises(Refused) as caught:
            await client.store(STORE)
        assert "KEYFACTOR_API_PATH" in caught.value.hint

    async def test_a_store_id_cannot_leave_its_place_in_the_path(self) -> None:
        client, transport = client_of(json_answer({"Id": STORE}))
        await client.store("../Agents?x=/")
        assert transport.asked[0].path == "/CertificateStores/..%2FAgents%3Fx%3D%2F"

    async def test_a_store_may_come_as_a_list_of_one(self) -> None:
        client, _ = client_of(json_answer([{"Id": STORE}]))
        store = await client.store(STORE)
        assert store is not None
        assert store.store_id == STORE

    async def test_a_store_that_is_no_object_is_a_contract_violation(self) -> None:
        client, _ = client_of(json_answer([1]))
        with pytest.raises(ContractViolation, match="expected an object"):
            await client.store(STORE)

    async def test_an_inventory_is_read_to_its_end(self) -> None:
        items = [
            {"Name": f"a{n}", "Certificates": [{"Thumbprint": f"{n:040X}"}]}
            for n in range(120)
        ]
        client, transport = client_of(page_of(items, cap=50))
        leaves = await client.inventory(STORE)
        assert [leaf.alias for leaf in leaves] == [f"a{n}" for n in range(120)]
        assert client.requests["inventory"] == len(transport.asked) == 3

    async def test_an_inventory_without_total_ends_with_a_short_page(self) -> None:
        item = {"Name": "a", "Certificates": [{"Thumbprint": "AB"}]}
        client, transport = client_of(json_answer([item]))
        assert len(await client.inventory(STORE)) == 1
        assert len(transport.asked) == 1

    async def test_an_inventory_that_repeats_its_page_is_not_believed(self) -> None:
        item = {"Name": "a", "Certificates": [{"Thumbprint": "AB"}]}
        headers = {**PLAIN, "x-total-count": "2"}
        client, _ = client_of(json_answer([item], headers=headers))
        with pytest.raises(ContractViolation) as caught:
            await client.inventory(STORE)
        assert caught.value.code == "paging_ignored"

    async def test_an_entry_without_certificate_has_no_leaf(self) -> None:
        client, _ = client_of(json_answer([{"Name": "a", "Certificates": []}]))
        assert await client.inventory(STORE) == ()

    async def test_requests_are_counted_by_kind(self) -> None:
        client, _ = client_of(json_answer([]), dialect=None)
        await client.scheduled_jobs(page=1, limit=10)
        await first_page(client, limit=10)
        await client.inventory(STORE)
        await client.stores(page=1, limit=10)
        await client.submit(REQUEST)
        assert client.requests == {
            "submit": 1,
            "job_history": 1,
            "scheduled_jobs": 1,
            "inventory": 1,
            "other": 2,
        }

    @pytest.mark.parametrize(
        "body", [b"", b"<html></html>", b"{", b'"x"', b"\xff\xfe", b"[" * 100_000]
    )
    async def test_a_body_that_is_no_list_is_a_contract_violation(
        self, body: bytes
    ) -> None:
        client, _ = client_of(Answer(status=200, headers=PLAIN, body=body))
        with pytest.raises(ContractViolation) as caught:
            await client.scheduled_jobs(page=1, limit=10)
        assert len(caught.value.message.encode()) < 2500

    async def test_a_list_that_was_cut_off_is_a_contract_violation(self) -> None:
        answer = Answer(status=200, headers=PLAIN, body=b"[]", truncated=True)
        client, _ = client_of(answer)
        with pytest.raises(ContractViolation, match="too long"):
            await client.stores(page=1, limit=10)

    async def test_a_row_without_its_id_says_which_row(self) -> None:
        client, _ = client_of(json_answer([row(1), {"JobId": JOB}]))
        with pytest.raises(ContractViolation, match=r"item 1 .*JobHistoryId"):
            await first_page(client, limit=10)

    async def test_an_excerpt_never_shows_a_secret(self) -> None:
        body = b"<html>Basic aHVudGVyMjI= hunter22</html>"
        answer = Answer(status=200, headers=PLAIN, body=body)
        client, _ = client_of(answer, secrets=("hunter22",))
        with pytest.raises(ContractViolation) as caught:
            await client.stores(page=1, limit=10)
        assert "hunter22" not in caught.value.message
        assert "aHVudGVyMjI=" not in caught.value.message
