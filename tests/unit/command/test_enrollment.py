"""CAs and templates as the client reads them: every name, and never in the way."""

from __future__ import annotations

import pytest
from unit.command.scripted import (
    PLAIN,
    Asked,
    Reply,
    json_answer,
    page_of,
)
from unit.command.test_client import client_of

from batch_reenroll.campaign.preflight import Enrollment, Template
from batch_reenroll.command.answer import Answer
from batch_reenroll.command.dialect import Family
from batch_reenroll.command.enrollment import authority, template
from batch_reenroll.errors import (
    CommandError,
    NotAuthorised,
    NotSent,
    OutcomeUnknown,
    Throttled,
)

EMPTY = json_answer([])


def named(raw: object) -> tuple[str, ...]:
    return authority(raw).names


class TestAuthority:
    def test_it_is_named_by_host_and_logical_name(self) -> None:
        raw = {"Id": 1, "HostName": "ca01.example.com", "LogicalName": "Issuing CA 1"}
        assert named(raw) == (r"ca01.example.com\Issuing CA 1",)

    @pytest.mark.parametrize(
        "url",
        [
            "https://CA.example.com",
            "https://CA.example.com:8443/ejbca/",
            "http://svc@CA.example.com/",
        ],
    )
    def test_a_url_is_taken_whole_and_by_its_host(self, url: str) -> None:
        names = named({"HostName": url, "LogicalName": "CA"})
        assert names == (f"{url}\\CA", r"ca.example.com\CA")

    @pytest.mark.parametrize("host", [None, "", " ", 7.5, ["x"]])
    def test_without_a_host_it_goes_by_its_logical_name(self, host: object) -> None:
        names = named({"HostName": host, "LogicalName": "CA"})
        assert names == (("CA",) if host != 7.5 else (r"7.5\CA",))

    def test_an_address_that_is_no_url_is_taken_as_it_is(self) -> None:
        raw = {"HostName": "https://[broken", "LogicalName": "CA"}
        assert named(raw) == (r"https://[broken\CA",)

    @pytest.mark.parametrize("raw", [{}, {"HostName": "ca", "LogicalName": None}])
    def test_without_a_logical_name_it_cannot_be_named(
        self, raw: dict[str, object]
    ) -> None:
        assert named(raw) == ()


class TestTemplate:
    def test_every_name_counts_once(self) -> None:
        raw = {
            "CommonName": "WebServer",
            "TemplateName": "Web Server",
            "DisplayName": "Web Server",
            "FriendlyName": " TLS ",
        }
        assert template(raw).template == Template(
            names=("WebServer", "Web Server", "TLS")
        )

    @pytest.mark.parametrize(
        ("said", "needs"),
        [(True, True), ("true", True), (1, True), (False, False), (None, False)],
    )
    def test_it_needs_approval_where_command_says_so(
        self, said: object, needs: bool
    ) -> None:
        raw = {"CommonName": "a", "RequiresApproval": said}
        assert template(raw).template.needs_approval is needs

    def test_keys_are_found_in_any_case(self) -> None:
        raw = {"commonName": "a", "requiresApproval": True}
        assert template(raw).template == Template(names=("a",), needs_approval=True)


@pytest.mark.asyncio
class TestEnrollment:
    async def test_it_takes_two_requests_of_kind_other(self) -> None:
        client, transport = client_of(EMPTY)
        assert await client.enrollment() == Enrollment(authorities=(), templates=())
        paths = [asked.path for asked in transport.asked]
        assert paths == ["/CertificateAuthority", "/Templates"]
        assert client.requests["other"] == 2
        assert sum(client.requests.values()) == 2

    async def test_parameters_bear_the_prefixes_of_10(self) -> None:
        client, transport = client_of(EMPTY, dialect=Family.PREFIXED)
        await client.enrollment()
        asked = [set(asked.params) for asked in transport.asked]
        assert asked == [
            {"pq.pageReturned", "pq.returnLimit"},
            {"sq.pageReturned", "sq.returnLimit"},
        ]

    async def test_lists_are_read_to_their_last_page(self) -> None:
        cas = [{"Id": n, "HostName": "h", "LogicalName": f"CA {n}"} for n in range(7)]
        kinds = [{"Id": n, "CommonName": f"T{n}"} for n in range(5)]
        by_path = {
            "/CertificateAuthority": page_of(cas, cap=3),
            "/Templates": page_of(kinds, cap=2),
        }

        def reply(asked: Asked) -> Answer:
            return by_path[asked.path](asked)

        client, _ = client_of(reply)
        found = await client.enrollment()
        assert found.authorities == tuple(rf"h\CA {n}" for n in range(7))
        assert found.templates == tuple(Template(names=(f"T{n}",)) for n in range(5))

    async def test_items_without_a_name_are_left_out(self) -> None:
        client, _ = client_of(json_answer([{"Id": 1}, {"Id": 2, "HostName": "h"}]))
        found = await client.enrollment()
        assert found == Enrollment(authorities=(), templates=())

    async def test_items_without_a_number_are_told_apart_by_what_they_say(
        self,
    ) -> None:
        client, _ = client_of(
            EMPTY, json_answer([{"CommonName": "a"}, {"CommonName": "b"}])
        )
        found = await client.enrollment()
        assert found.templates == (Template(names=("a",)), Template(names=("b",)))

    @pytest.mark.parametrize(
        ("refusal", "why"),
        [
            (Answer(status=403, headers=PLAIN), "the account may not read them"),
            (Answer(status=404, headers=PLAIN), "Command does not list them"),
            (
                json_answer({"ErrorCode": "0x1", "Message": "No such thing"}, 400),
                "No such thing",
            ),
            (Answer(status=200, headers=PLAIN, body=b"<html>"), "not JSON"),
            (json_answer("text"), "expected a list"),
            (json_answer([7]), "item 0 of the answer"),
        ],
    )
    async def test_a_list_that_cannot_be_had_is_not_known_and_the_other_one_is(
        self, refusal: Answer, why: str
    ) -> None:
        for replies, known, said in (
            ((refusal, EMPTY), "templates", "authorities_unread"),
            ((EMPTY, refusal), "authorities", "templates_unread"),
        ):
            client, _ = client_of(*replies)
            found = await client.enrollment()
            other = {"templates": "authorities", "authorities": "templates"}[known]
            assert getattr(found, known) == ()
            assert getattr(found, other) is None
            assert why in getattr(found, said)
            assert len(found.unread) == 1

    async def test_a_missing_right_is_named_in_10_and_in_11(self) -> None:
        client, _ = client_of(Answer(status=403, headers=PLAIN))
        found = await client.enrollment()
        assert found.unread == (
            "CAs not checked: the account may not read them; missing: "
            "PkiManagement: Read (v10) or /certificate_authorities/read/ (11+)",
            "templates not checked: the account may not read them; missing: "
            "PkiManagement: Read (v10) or /certificate_templates/read/ (11+)",
        )

    @pytest.mark.parametrize(
        ("reply", "error"),
        [
            (Answer(status=401, headers=PLAIN), NotAuthorised),
            (Answer(status=429, headers=PLAIN), Throttled),
            (Answer(status=503, headers=PLAIN), OutcomeUnknown),
            (NotSent("no way there"), NotSent),
        ],
    )
    async def test_what_keeps_command_from_being_used_at_all_is_an_error(
        self, reply: Reply, error: type[CommandError]
    ) -> None:
        client, _ = client_of(reply)
        with pytest.raises(error):
            await client.enrollment()

    async def test_pages_that_repeat_make_a_list_unknown(self) -> None:
        page = json_answer(
            [{"Id": 1, "CommonName": "a"}], headers={**PLAIN, "x-total-count": "9"}
        )
        client, transport = client_of(EMPTY, page)
        found = await client.enrollment()
        assert found.templates is None
        assert len(transport.asked) < 10
