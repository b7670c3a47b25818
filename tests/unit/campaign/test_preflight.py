"""What the plan finds out about a row before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from unit.campaign.making import certificate, row_of

from batch_reenroll.campaign.calendar import Calendar
from batch_reenroll.campaign.nouns import (
    AliasRule,
    EntryParameter,
    Orchestrator,
    ReenrollmentRequest,
    Store,
    StoreType,
)
from batch_reenroll.campaign.preflight import (
    SILENCE,
    Case,
    Enrollment,
    Finding,
    Template,
    cautions,
    holding,
    obstacles,
)
from batch_reenroll.campaign.reasons import Reason

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
R = Reason

IIS = StoreType(
    store_type=105,
    name="IIS Bound Certificate",
    short_name="IISU",
    capability="IISU",
    supports_reenrollment=True,
    entry_parameters=(
        EntryParameter(name="SiteName", required=True),
        EntryParameter(
            name="Protocol",
            kind="MultipleChoice",
            required=True,
            options=("https", "http"),
            default="https",
        ),
        EntryParameter(name="SniFlag", kind="Bool"),
        EntryParameter(name="HostName", required=True, depends_on="SniFlag"),
    ),
)
NETSCALER = replace(
    IIS, short_name="NS", entry_parameters=(), job_properties=("NetscalerVserver",)
)
PEM = replace(IIS, short_name="PEM", capability="PEM", entry_parameters=())
STORE = Store(
    store_id="s1",
    agent_id="a1",
    client_machine="web1",
    store_path="IIS Personal",
    store_type=105,
    approved=True,
    agent_assigned=True,
    container="",
    reenrollable=True,
    reenrollment_message="",
    inventory_scheduled=True,
)
AGENT = Orchestrator(
    agent_id="a1", client_machine="orch1", status=2, last_seen=NOW, capabilities=()
)
REQUEST = ReenrollmentRequest(
    keystore_id="s1",
    subject_name="CN=web1.example.com",
    agent_guid="a1",
    alias="web",
    job_properties={"SiteName": "Default Web Site"},
)
CASE = Case(
    request=REQUEST, store=STORE, kind=IIS, agent=AGENT, enrollment=Enrollment()
)
ISSUING = Enrollment(
    authorities=(r"ca01.example.com\Corp Issuing CA 2",),
    templates=(
        Template(names=("WebServer", "Web Server")),
        Template(names=("Signed",), needs_approval=True),
    ),
)


def with_properties(properties: Mapping[str, object], kind: StoreType = IIS) -> Case:
    request = replace(REQUEST, job_properties=properties)
    return replace(CASE, request=request, kind=kind)


def issuing(authority: str | None, template: str | None) -> Case:
    request = replace(
        REQUEST, certificate_authority=authority, certificate_template=template
    )
    return replace(CASE, request=request, enrollment=ISSUING)


def stopping(case: Case) -> list[Reason]:
    return [found.reason for found in obstacles(case)]


def said(case: Case) -> list[Reason]:
    return [found.reason for found in cautions(case, NOW)]


class TestEntryParameters:
    def test_a_row_that_gives_what_is_needed_may_go(self) -> None:
        assert stopping(CASE) == []

    def test_a_missing_one_is_named(self) -> None:
        (found,) = obstacles(with_properties({}))
        assert found.reason is R.PARAMETER_MISSING
        assert "JobProperties.SiteName" in found.message

    def test_an_empty_one_is_missing(self) -> None:
        assert stopping(with_properties({"SiteName": ""})) == [R.PARAMETER_MISSING]

    def test_names_fit_in_any_case(self) -> None:
        assert stopping(with_properties({"sitename": "x"})) == []

    def test_one_that_has_a_default_may_be_left_out(self) -> None:
        assert "Protocol" not in REQUEST.job_properties
        assert stopping(CASE) == []

    @pytest.mark.parametrize(("flag", "found"), [(True, 1), ("true", 1), (False, 0)])
    def test_one_that_depends_on_another_is_needed_with_it(
        self, flag: object, found: int
    ) -> None:
        case = with_properties({"SiteName": "x", "SniFlag": flag})
        assert stopping(case) == [R.PARAMETER_MISSING] * found

    @pytest.mark.parametrize("value", ["ftp", "https,http", 443])
    def test_a_value_that_is_not_among_the_options_is_refused(
        self, value: object
    ) -> None:
        (found,) = obstacles(with_properties({"SiteName": "x", "Protocol": value}))
        assert found.reason is R.PARAMETER_VALUE
        assert "https, http" in found.message

    @pytest.mark.parametrize("value", [True, "True", "false"])
    def test_a_bool_may_be_written_as_text(self, value: object) -> None:
        properties = {"SiteName": "x", "SniFlag": value, "HostName": "h"}
        assert stopping(with_properties(properties)) == []

    def test_a_bool_must_be_one(self) -> None:
        case = with_properties({"SiteName": "x", "SniFlag": "yes", "HostName": "h"})
        assert stopping(case) == [R.PARAMETER_VALUE]

    def test_the_stores_own_word_goes_before_its_types(self) -> None:
        own = (EntryParameter(name="Zone", required=True),)
        case = replace(CASE, store=replace(STORE, entry_parameters=own))
        assert stopping(case) == [R.PARAMETER_MISSING, R.PROPERTY_UNKNOWN]


class TestPropertyNames:
    def test_an_unknown_one_is_refused_with_a_guess(self) -> None:
        (found,) = obstacles(with_properties({"SiteName": "x", "SiteNam": "x"}))
        assert found.reason is R.PROPERTY_UNKNOWN
        assert "did you mean SiteName?" in found.message

    def test_the_older_list_of_job_properties_counts(self) -> None:
        assert stopping(with_properties({"NetscalerVserver": "v"}, NETSCALER)) == []
        assert stopping(with_properties({"X": "v"}, NETSCALER)) == [R.PROPERTY_UNKNOWN]

    def test_where_command_lists_none_they_are_only_pointed_out(self) -> None:
        case = with_properties({"Anything": "v"}, PEM)
        assert stopping(case) == []
        assert said(case) == [R.PROPERTIES_UNLISTED]

    def test_a_type_that_is_not_known_says_nothing(self) -> None:
        case = replace(with_properties({"Anything": "v"}), kind=None)
        assert stopping(case) == said(case) == []


class TestIssuing:
    def test_known_names_fit_in_any_case(self) -> None:
        case = issuing(r"CA01.example.com\corp issuing ca 2", "webserver")
        assert stopping(case) == []

    def test_an_unknown_authority_is_refused_with_a_guess(self) -> None:
        (found,) = obstacles(issuing(r"ca01.example.com\Corp Issuing CA 3", None))
        assert found.reason is R.AUTHORITY_UNKNOWN
        assert "did you mean" in found.message

    def test_an_unknown_template_is_refused(self) -> None:
        assert stopping(issuing(None, "WebServr")) == [R.TEMPLATE_UNKNOWN]

    def test_commands_own_setting_is_not_looked_up(self) -> None:
        assert stopping(issuing(None, None)) == []

    @pytest.mark.parametrize("known", [None, ()])
    def test_lists_that_cannot_be_read_refuse_nothing(
        self, known: tuple[str, ...] | None
    ) -> None:
        case = replace(
            issuing("x", "y"), enrollment=Enrollment(authorities=known, templates=None)
        )
        assert stopping(case) == []

    def test_each_list_that_could_not_be_read_is_told(self) -> None:
        assert Enrollment().unread == ()
        assert ISSUING.unread == ()
        both = Enrollment(authorities_unread="no right", templates_unread="gone")
        assert both.unread == (
            "CAs not checked: no right",
            "templates not checked: gone",
        )

    def test_a_template_that_needs_approval_is_pointed_out(self) -> None:
        assert said(issuing(None, "signed")) == [R.TEMPLATE_NEEDS_APPROVAL]


class TestAliases:
    """Stores of the type have the thumbprint for an alias, and allow no other."""

    NO_ALIAS = replace(IIS, custom_alias=AliasRule.FORBIDDEN)
    THUMBPRINT = "A" * 40

    def held(self, alias: str, kind: StoreType | None) -> Finding | None:
        row = row_of(request=replace(REQUEST, alias=alias))
        found = holding(
            row,
            [certificate(self.THUMBPRINT, self.THUMBPRINT.lower())],
            kind=kind,
            younger_than=None,
            calendar=Calendar(),
            now=NOW,
        )
        return found.obstacle

    def test_one_of_its_own_is_pointed_out_before_the_inventory_is_known(self) -> None:
        assert said(replace(CASE, kind=self.NO_ALIAS)) == [R.ALIAS_RULE]

    @pytest.mark.parametrize("n_digits", [40, 64])
    def test_a_thumbprint_is_not(self, n_digits: int) -> None:
        request = replace(REQUEST, alias="aB" * (n_digits // 2))
        assert said(replace(CASE, kind=self.NO_ALIAS, request=request)) == []

    @pytest.mark.parametrize("rule", [None, AliasRule.OPTIONAL, AliasRule.REQUIRED])
    def test_other_types_allow_any(self, rule: AliasRule | None) -> None:
        kind = replace(IIS, custom_alias=rule)
        assert said(replace(CASE, kind=kind)) == []
        assert self.held("web", kind) is None

    def test_the_alias_that_the_inventory_shows_is_right_whatever_it_looks_like(
        self,
    ) -> None:
        assert self.held(self.THUMBPRINT.lower(), self.NO_ALIAS) is None

    def test_one_that_the_inventory_does_not_show_breaks_the_rule(self) -> None:
        found = self.held("web", self.NO_ALIAS)
        assert found == (R.ALIAS_RULE, "store type IISU forbids aliases like web")


class TestCautions:
    def test_a_plain_row_has_none(self) -> None:
        assert said(CASE) == []

    @pytest.mark.parametrize(
        ("silent", "found"),
        [(SILENCE, []), (SILENCE + timedelta(seconds=1), [R.ORCHESTRATOR_SILENT])],
    )
    def test_a_silent_orchestrator(
        self, silent: timedelta, found: list[Reason]
    ) -> None:
        agent = replace(AGENT, last_seen=NOW - silent)
        assert said(replace(CASE, agent=agent)) == found

    def test_an_orchestrator_without_the_capability(self) -> None:
        agent = replace(AGENT, capabilities=("CertStores.PEM.Reenrollment",))
        assert said(replace(CASE, agent=agent)) == [R.ORCHESTRATOR_INCAPABLE]
        able = replace(AGENT, capabilities=("CertStores.IISU.Inventory",))
        assert said(replace(CASE, agent=able)) == []

    @pytest.mark.parametrize(
        "subject", ['CN=a,O="Key Example, Inc."', r"CN=a,O=Key\, Inc.", "CN=a+OU=b"]
    )
    def test_a_subject_that_agents_misread(self, subject: str) -> None:
        case = replace(CASE, request=replace(REQUEST, subject_name=subject))
        assert said(case) == [R.SUBJECT_FRAGILE]
