"""The plan: which store a row means, and whether it may go."""

from __future__ import annotations

from dataclasses import replace

import pytest

from batch_reenroll.campaign.nouns import Orchestrator, Store, StoreType
from batch_reenroll.campaign.plan import Directory, Verdict, Wish, resolve
from batch_reenroll.campaign.reasons import Reason

WINCERT = StoreType(
    store_type=106,
    name="Windows Certificate",
    short_name="WinCert",
    capability="WinCertStore",
    supports_reenrollment=True,
)
IISU = StoreType(
    store_type=107,
    name="IIS Bound Certificate",
    short_name="IISU",
    capability="IISU",
    supports_reenrollment=True,
)
ORCH = Orchestrator(agent_id="orch", client_machine="orch1", status=2, last_seen=None)
STORE = Store(
    store_id="s1",
    agent_id="orch",
    client_machine="web1",
    store_path="My",
    store_type=106,
    approved=True,
    agent_assigned=True,
    container="",
    reenrollable=True,
    reenrollment_message="",
    inventory_scheduled=True,
)
BY_ID = Wish(
    keystore_id="s1",
    agent_guid="orch",
    client_machine=None,
    store_path=None,
    store_type=None,
    subject_name="CN=web1",
    alias="web",
    certificate_authority="ca01\\Issuing",
    certificate_template="WebServer",
    job_properties={"SiteName": "x"},
    sans={"dns": ["web1"]},
    enrollment_pattern_id=7,
)
BY_PLACE = replace(
    BY_ID, keystore_id=None, agent_guid=None, client_machine="web1", store_path="My"
)


def directory(*stores: Store, agent: Orchestrator | None = ORCH) -> Directory:
    found = Directory(types={106: WINCERT, 107: IISU})
    if agent is not None:
        found.orchestrators[agent.agent_id] = agent
    found.add_stores(stores)
    return found


def refusal(wish: Wish, found: Directory) -> tuple[Reason | None, str]:
    verdict = resolve(wish, found)
    return verdict.reason, verdict.message


class TestWhoMayGo:
    def test_a_good_row_gets_all_that_the_run_needs(self) -> None:
        verdict = resolve(BY_ID, directory(STORE))
        assert verdict == Verdict(
            request=verdict.request,
            client_machine=STORE.client_machine,
            store_path=STORE.store_path,
            orchestrator="orch1",
            store_type="WinCert",
            capability="WinCertStore",
            place_unique=True,
            inventory_scheduled=STORE.inventory_scheduled,
        )

    def test_the_request_says_what_the_row_said(self) -> None:
        request = resolve(BY_ID, directory(STORE)).request
        assert (request.keystore_id, request.agent_guid) == ("s1", "orch")
        assert (request.subject_name, request.alias) == ("CN=web1", "web")
        assert request.certificate_authority == "ca01\\Issuing"
        assert request.certificate_template == "WebServer"
        assert request.job_properties == {"SiteName": "x"}
        assert request.sans == {"dns": ["web1"]}
        assert request.enrollment_pattern_id == 7

    def test_a_row_by_place_is_given_its_guids(self) -> None:
        request = resolve(BY_PLACE, directory(STORE)).request
        assert (request.keystore_id, request.agent_guid) == ("s1", "orch")

    def test_a_missing_orchestrator_guid_is_filled_in(self) -> None:
        verdict = resolve(replace(BY_ID, agent_guid=None), directory(STORE))
        assert verdict.reason is None
        assert verdict.request.agent_guid == "orch"

    def test_a_row_may_name_the_orchestrator_where_command_does_not(self) -> None:
        verdict = resolve(BY_ID, directory(replace(STORE, agent_id=None)))
        assert verdict.reason is None
        assert verdict.request.agent_guid == "orch"

    def test_an_unknown_store_type_is_named_by_its_number(self) -> None:
        verdict = resolve(BY_ID, directory(replace(STORE, store_type=999)))
        assert (verdict.reason, verdict.store_type) == (None, "999")


class TestRefusals:
    def test_a_store_that_command_does_not_have(self) -> None:
        wish = replace(BY_ID, keystore_id="s9")
        assert refusal(wish, directory(STORE)) == (
            Reason.STORE_UNKNOWN,
            "Command has no store s9",
        )

    def test_a_refused_row_keeps_what_it_said(self) -> None:
        request = resolve(replace(BY_ID, keystore_id="s9"), directory(STORE)).request
        assert (request.keystore_id, request.agent_guid) == ("s9", "orch")

    def test_a_place_where_command_has_no_store(self) -> None:
        wish = replace(BY_PLACE, store_path="Web\x1bHosting")
        assert refusal(wish, directory(STORE)) == (
            Reason.STORE_UNKNOWN,
            "Command has no store at web1 Web\\x1bHosting",
        )

    def test_a_place_with_several_stores_names_them_all(self) -> None:
        twin = replace(STORE, store_id="s0", store_type=107)
        assert refusal(BY_PLACE, directory(STORE, twin)) == (
            Reason.STORE_AMBIGUOUS,
            "several stores at web1 My: s0, s1",
        )

    def test_a_store_that_was_not_approved(self) -> None:
        reason, _ = refusal(BY_ID, directory(replace(STORE, approved=False)))
        assert reason is Reason.STORE_NOT_APPROVED

    def test_a_store_without_an_orchestrator(self) -> None:
        wish = replace(BY_ID, agent_guid=None)
        assert refusal(wish, directory(replace(STORE, agent_id=None))) == (
            Reason.STORE_NOT_APPROVED,
            "the store has no orchestrator",
        )

    def test_a_store_of_another_orchestrator_names_both(self) -> None:
        wish = replace(BY_ID, agent_guid="other")
        assert refusal(wish, directory(STORE)) == (
            Reason.ORCHESTRATOR_MISMATCH,
            "the store belongs to orchestrator orch, not other",
        )

    def test_an_orchestrator_that_command_does_not_have(self) -> None:
        reason, message = refusal(BY_ID, directory(STORE, agent=None))
        assert reason is Reason.ORCHESTRATOR_MISSING
        assert message == "Command has no orchestrator orch"

    @pytest.mark.parametrize("status", [0, 1, 3])
    def test_an_orchestrator_that_was_not_approved(self, status: int) -> None:
        reason, message = refusal(
            BY_ID, directory(STORE, agent=replace(ORCH, status=status))
        )
        assert reason is Reason.ORCHESTRATOR_UNAPPROVED
        assert f"status {status}" in message

    def test_a_store_that_command_will_not_re_enroll_in_its_own_words(self) -> None:
        refused = replace(
            STORE, reenrollable=False, reenrollment_message="No handler.\r\n"
        )
        assert refusal(BY_ID, directory(refused)) == (
            Reason.REENROLLMENT_UNSUPPORTED,
            "No handler.\\r\\n",
        )

    def test_a_refusal_without_words_is_given_some(self) -> None:
        reason, message = refusal(BY_ID, directory(replace(STORE, reenrollable=False)))
        assert reason is Reason.REENROLLMENT_UNSUPPORTED
        assert message

    def test_where_command_is_silent_the_types_word_counts(self) -> None:
        found = directory(replace(STORE, reenrollable=None))
        found.types[106] = replace(WINCERT, supports_reenrollment=False)
        assert refusal(BY_ID, found)[0] is Reason.REENROLLMENT_UNSUPPORTED

    def test_commands_word_on_the_store_outweighs_the_types(self) -> None:
        found = directory(STORE)
        found.types[106] = replace(WINCERT, supports_reenrollment=False)
        assert refusal(BY_ID, found)[0] is None

    def test_where_nobody_says_anything_the_row_may_go(self) -> None:
        silent = replace(STORE, reenrollable=None, store_type=999)
        assert refusal(BY_ID, directory(silent))[0] is None


class TestPlaces:
    @pytest.mark.parametrize(
        "name", ["WinCert", "wincert", "Windows Certificate", "wincertstore"]
    )
    def test_a_type_is_named_by_short_name_name_or_capability(self, name: str) -> None:
        twin = replace(STORE, store_id="s2", store_type=107)
        wish = replace(BY_PLACE, store_type=name)
        assert resolve(wish, directory(STORE, twin)).request.keystore_id == "s1"

    @pytest.mark.parametrize("name", ["IISU", "Win", "106", ""])
    def test_another_types_name_finds_nothing(self, name: str) -> None:
        assert directory(STORE).at_place("web1", "My", name) == []

    def test_a_store_of_an_unknown_type_is_found_by_no_type_name(self) -> None:
        found = directory(replace(STORE, store_type=999))
        assert found.at_place("web1", "My", "WinCert") == []

    def test_a_place_is_found_whatever_its_letter_case(self) -> None:
        assert directory(STORE).at_place("WEB1", "MY", None) == [STORE]

    def test_a_path_that_no_sister_store_has_is_unique(self) -> None:
        other = replace(STORE, store_id="s2", store_path="WebHosting")
        assert directory(STORE, other).path_is_unique(STORE)

    @pytest.mark.parametrize(
        "sister",
        [
            replace(STORE, store_id="s2", client_machine="web2"),
            replace(STORE, store_id="s2", store_type=107),
            replace(STORE, store_id="s2", client_machine="web2", store_path="MY"),
        ],
        ids=["machine", "type", "case"],
    )
    def test_a_path_that_a_sister_store_has_is_not(self, sister: Store) -> None:
        assert not directory(STORE, sister).path_is_unique(STORE)

    def test_another_orchestrators_store_does_not_count(self) -> None:
        foreign = replace(STORE, store_id="s2", agent_id="elsewhere")
        assert directory(STORE, foreign).path_is_unique(STORE)

    def test_a_store_read_twice_counts_once(self) -> None:
        found = directory(STORE, STORE)
        assert found.path_is_unique(STORE)
        assert found.at_place("web1", "My", None) == [STORE]
