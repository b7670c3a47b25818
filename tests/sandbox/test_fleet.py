"""The fleet is drawn from its seed and holds what was asked for."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch_reenroll.sandbox import FleetPlan, SandboxError, draw_fleet
from batch_reenroll.sandbox.names import parse_subject

PLANS = st.builds(
    FleetPlan,
    stores=st.integers(0, 60),
    orchestrators=st.integers(4, 9),
    offline=st.integers(0, 4),
    offline_stores=st.none() | st.integers(0, 5),
    skew=st.floats(0, 1),
    seed=st.integers(),
)


@given(PLANS)
@settings(max_examples=50)
def test_a_plan_gives_one_fleet(plan: FleetPlan) -> None:
    fleet = draw_fleet(plan)

    assert draw_fleet(plan) == fleet
    assert len(fleet.stores) == plan.stores
    assert len(fleet.orchestrators) == plan.orchestrators
    assert sum(not item.online for item in fleet.orchestrators) == plan.offline
    known = {item.agent_id for item in fleet.orchestrators}
    assert {store.agent_id for store in fleet.stores} <= known


@given(PLANS)
@settings(max_examples=50)
def test_stores_are_distinct_and_their_subjects_are_readable(plan: FleetPlan) -> None:
    stores = draw_fleet(plan).stores

    assert len({store.store_id for store in stores}) == len(stores)
    assert len({(store.machine, store.path) for store in stores}) == len(stores)
    assert all(parse_subject(store.subject) for store in stores)


def test_another_seed_gives_another_fleet() -> None:
    one, two = (draw_fleet(FleetPlan(seed=seed)) for seed in (1, 2))

    assert not {s.store_id for s in one.stores} & {s.store_id for s in two.stores}


def test_a_fleet_has_all_formats_and_all_ways_to_write_a_comma() -> None:
    rows = draw_fleet(FleetPlan()).manifest_rows()

    assert {row["StoreType"] for row in rows} == {"PEM", "JKS", "PKCS12"}
    assert any('"' in row["SubjectName"] for row in rows)
    assert any("\\," in row["SubjectName"] for row in rows)


def test_special_stores_are_as_many_as_asked() -> None:
    fleet = draw_fleet(FleetPlan(stores=50, unsupported_stores=5, broken_stores=3))
    rows = fleet.manifest_rows()
    templates = Counter(row["CertificateTemplate"] for row in rows)

    assert len(rows) == 45
    assert templates["Broken"] == 3


def test_each_special_store_is_special_in_one_way() -> None:
    plan = FleetPlan(
        stores=12,
        unsupported_stores=3,
        broken_stores=3,
        iis_stores=3,
        discovered_stores=3,
    )
    fleet = draw_fleet(plan)
    kinds = Counter(store.store_type.short_name for store in fleet.stores)
    broken = {s.store_id for s in fleet.stores if s.template.name == "Broken"}
    discovered = {s.store_id for s in fleet.stores if not s.approved}

    assert (kinds["NS"], kinds["IISU"]) == (3, 3)
    assert (len(broken), len(discovered)) == (3, 3)
    assert not broken & discovered


def test_unapproved_orchestrators_are_online_ones() -> None:
    agents = draw_fleet(
        FleetPlan(orchestrators=6, offline=2, unapproved=3)
    ).orchestrators

    assert [agent.online for agent in agents] == [True] * 4 + [False] * 2
    assert [agent.approved for agent in agents] == [True] + [False] * 3 + [True] * 2


def test_an_offline_orchestrator_can_be_given_few_stores() -> None:
    fleet = draw_fleet(
        FleetPlan(stores=50, orchestrators=5, offline=1, offline_stores=2)
    )
    offline = fleet.orchestrators[4].agent_id

    assert sum(store.agent_id == offline for store in fleet.stores) == 2


def test_a_large_orchestrator_can_be_had() -> None:
    fleet = draw_fleet(FleetPlan(stores=100, orchestrators=5, skew=0.5))
    first = fleet.orchestrators[0].agent_id

    assert sum(store.agent_id == first for store in fleet.stores) == 60


@pytest.mark.parametrize(
    "wrong",
    [
        {"stores": -1},
        {"orchestrators": 0},
        {"offline": 9},
        {"skew": 1.5},
        {"broken_stores": 201},
        {"broken_stores": -1},
        {"rsa_pct": 101},
        {"offline_stores": -1},
        {"slow": -1},
        {"iis_stores": -1},
        {"iis_stores": 201},
        {"discovered_stores": 150, "iis_stores": 51},
        {"unapproved": -1},
        {"offline": 4, "unapproved": 5},
    ],
)
def test_an_impossible_plan_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SandboxError):
        FleetPlan(**wrong)  # type: ignore[arg-type]
