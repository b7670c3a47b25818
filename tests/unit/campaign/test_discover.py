"""Which stores and certificates become rows of a discovered manifest."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from batch_reenroll.campaign.discover import (
    LeftOutBecause,
    Wanted,
    left_out,
    names_wanted,
    replayed,
    rows_of,
    with_names,
)
from batch_reenroll.campaign.nouns import (
    EntryParameter,
    InventoryCertificate,
    Orchestrator,
    Store,
    StoreType,
)
from batch_reenroll.campaign.plan import Directory

EXPIRY = datetime(2027, 1, 1, tzinfo=UTC)
IIS = StoreType(
    store_type=105,
    name="IIS Bound Certificate",
    short_name="IISU",
    capability="IISU",
    supports_reenrollment=True,
    entry_parameters=(
        EntryParameter(name="SiteName", required=True),
        EntryParameter(name="PinCode", kind="Secret"),
    ),
)
STORE = Store(
    store_id="s1",
    agent_id="a1",
    client_machine="web1",
    store_path="IIS Personal",
    store_type=105,
    approved=True,
    agent_assigned=True,
    container="Web farm",
    reenrollable=True,
    reenrollment_message="",
    inventory_scheduled=True,
)
AGENT = Orchestrator(agent_id="a1", client_machine="orch1", status=2, last_seen=None)
LEAF = InventoryCertificate(
    alias="web",
    thumbprint="ab" * 20,
    subject="CN=web1.example.com",
    issuer="CN=Issuing CA 1,O=Example",
    serial="01",
    not_before=EXPIRY - timedelta(days=90),
    not_after=EXPIRY,
    parameters={"SiteName": "Default Web Site", "PinCode": "1234", "Empty": ""},
)


def directory(store: Store = STORE, agent: Orchestrator | None = AGENT) -> Directory:
    found = Directory(types={105: IIS})
    if agent is not None:
        found.orchestrators[agent.agent_id] = agent
    found.add_stores([store])
    return found


def found_in(
    inventory: Sequence[InventoryCertificate],
    wanted: Wanted | None = None,
    store: Store = STORE,
) -> list[object]:
    rows = rows_of(store, inventory, directory(store), wanted or Wanted())
    return [row if isinstance(row, dict) else row[0] for row in rows]


class TestStores:
    def test_one_that_can_be_reenrolled_is_not_left_out(self) -> None:
        assert left_out(STORE, directory()) is None

    @pytest.mark.parametrize(
        ("changed", "reason"),
        [
            ({"approved": False}, LeftOutBecause.NOT_APPROVED),
            ({"agent_id": None}, LeftOutBecause.NO_ORCHESTRATOR),
            ({"reenrollable": False}, LeftOutBecause.UNSUPPORTED),
        ],
    )
    def test_one_that_cannot_is_left_out_with_the_reason(
        self, changed: dict[str, object], reason: LeftOutBecause
    ) -> None:
        store = replace(STORE, **changed)  # type: ignore[arg-type]
        found = left_out(store, directory(store))
        assert found is not None
        assert found[0] is reason

    def test_an_unapproved_orchestrator_counts_as_none(self) -> None:
        found = left_out(STORE, directory(agent=replace(AGENT, status=1)))
        assert found is not None
        assert found[0] is LeftOutBecause.NO_ORCHESTRATOR

    def test_commands_own_words_say_why(self) -> None:
        store = replace(
            STORE, reenrollable=False, reenrollment_message="no key generation"
        )
        assert left_out(store, directory(store)) == (
            LeftOutBecause.UNSUPPORTED,
            "no key generation",
        )

    @pytest.mark.parametrize(
        "wanted",
        [
            Wanted(),
            Wanted(store_types=frozenset({"iisu"})),
            Wanted(store_types=frozenset({"105", "x"})),
            Wanted(containers=frozenset({"WEB FARM"})),
            Wanted(orchestrators=frozenset({"ORCH1"})),
            Wanted(orchestrators=frozenset({"a1"})),
        ],
    )
    def test_filters_that_fit(self, wanted: Wanted) -> None:
        assert wanted.has_store(STORE, directory())

    @pytest.mark.parametrize(
        "wanted",
        [
            Wanted(store_types=frozenset({"PEM"})),
            Wanted(containers=frozenset({"Web"})),
            Wanted(orchestrators=frozenset({"orch"})),
            Wanted(excluded=frozenset({"s1"})),
            Wanted(store_types=frozenset({"IISU"}), containers=frozenset({"x"})),
        ],
    )
    def test_filters_that_do_not(self, wanted: Wanted) -> None:
        assert not wanted.has_store(STORE, directory())


class TestCertificates:
    def test_a_row_says_what_the_store_holds_now(self) -> None:
        (row,) = found_in([LEAF])
        assert isinstance(row, dict)
        assert row["Alias"] == "web"
        assert row["SubjectName"] == "CN=web1.example.com"
        assert row["CurrentThumbprint"] == "ab" * 20
        assert row["x-not-after"] == "2027-01-01T00:00:00.000Z"
        assert json.loads(row["JobProperties"]) == {"SiteName": "Default Web Site"}

    @pytest.mark.parametrize(
        ("before", "n_rows"),
        [(EXPIRY, 0), (EXPIRY + timedelta(seconds=1), 1)],
    )
    def test_only_those_that_expire_before_a_moment(
        self, before: datetime, n_rows: int
    ) -> None:
        assert len(found_in([LEAF], Wanted(expiring_before=before))) == n_rows

    def test_one_without_a_date_may_expire_at_any_time(self) -> None:
        undated = replace(LEAF, not_after=None)
        assert len(found_in([undated], Wanted(expiring_before=EXPIRY))) == 1

    @pytest.mark.parametrize(("issuer", "n_rows"), [("issuing ca 1", 1), ("CA 2", 0)])
    def test_only_those_of_an_issuer(self, issuer: str, n_rows: int) -> None:
        assert len(found_in([LEAF], Wanted(issuer=issuer))) == n_rows

    @pytest.mark.parametrize(
        ("inventory", "reason"),
        [
            ([replace(LEAF, subject=" ")], LeftOutBecause.NO_SUBJECT),
            ([replace(LEAF, alias="")], LeftOutBecause.NO_ALIAS),
            ([], LeftOutBecause.NO_INVENTORY),
        ],
    )
    def test_what_makes_no_row_says_why(
        self, inventory: list[InventoryCertificate], reason: LeftOutBecause
    ) -> None:
        assert found_in(inventory) == [reason]

    def test_of_two_entries_under_one_alias_the_second_is_left_out(self) -> None:
        row, second = found_in([LEAF, replace(LEAF, thumbprint="cd" * 20)])
        assert isinstance(row, dict)
        assert second is LeftOutBecause.DUPLICATE_ALIAS

    def test_a_store_that_is_never_inventoried_says_so(self) -> None:
        store = replace(STORE, inventory_scheduled=False)
        assert found_in([], store=store) == [LeftOutBecause.NO_INVENTORY_SCHEDULE]


def test_a_secret_is_never_replayed() -> None:
    assert replayed(LEAF.parameters, STORE, IIS) == {"SiteName": "Default Web Site"}


def test_what_the_type_does_not_know_is_replayed_all_the_same() -> None:
    assert replayed({"EnrollmentId": 7}, STORE, IIS) == {"EnrollmentId": 7}


NAMED = replace(
    IIS, entry_parameters=(*IIS.entry_parameters, EntryParameter(name="SAN"))
)
ROW = {"JobProperties": '{"SiteName": "Default Web Site"}', "Alias": "web"}
TWO_NAMES = frozenset({"dns:b.example.com", "dns:a.example.com"})


def test_a_type_that_wants_the_names_as_a_parameter_lacks_them() -> None:
    assert names_wanted(ROW, STORE, NAMED) == "SAN"


def test_a_type_without_such_a_parameter_lacks_none() -> None:
    assert names_wanted(ROW, STORE, IIS) is None


def test_names_that_the_inventory_holds_are_not_looked_up() -> None:
    held = {**ROW, "JobProperties": '{"san": "dns=old.example.com"}'}
    assert names_wanted(held, STORE, NAMED) is None


@pytest.mark.parametrize(
    ("parameter", "written"),
    [
        ("SAN", "dns=a.example.com&dns=b.example.com"),
        ("Sans", "a.example.com&b.example.com"),
    ],
)
def test_names_are_written_as_the_type_reads_them(parameter: str, written: str) -> None:
    row = with_names(ROW, parameter, TWO_NAMES)
    properties = json.loads(row["JobProperties"])
    assert properties == {"SiteName": "Default Web Site", parameter: written}


@pytest.mark.parametrize(
    "sans",
    [
        None,
        frozenset[str](),
        TWO_NAMES | {"ip:192.0.2.1"},
        frozenset({"dns:straße.example.com"}),
    ],
    ids=["not known", "none", "an address among them", "an international name"],
)
def test_names_that_cannot_all_be_written_are_left_to_people(
    sans: frozenset[str] | None,
) -> None:
    assert with_names(ROW, "SAN", sans) == ROW
