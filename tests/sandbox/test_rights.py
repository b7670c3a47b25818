"""Rights: reading both families of names, and what they allow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_reenroll.sandbox import Right, Rights, SandboxError, read_rights
from batch_reenroll.sandbox.rights import (
    ALL_RIGHTS,
    CONTAINED,
    ROLES,
    Enrollment,
    name_of,
)

CONTAINERS = st.integers(1, 6)
GLOBAL = st.frozensets(st.sampled_from(sorted(Right)))
IN_CONTAINERS = st.frozensets(
    st.tuples(st.sampled_from(sorted(CONTAINED)), CONTAINERS), max_size=8
)
RIGHTS = st.builds(
    lambda everywhere, contained: Rights(everywhere=everywhere, contained=contained),
    GLOBAL,
    IN_CONTAINERS,
)


@given(RIGHTS, st.sampled_from(sorted(CONTAINED)), CONTAINERS, CONTAINERS)
def test_a_right_for_one_container_never_leaks_into_another(
    rights: Rights, right: Right, given_for: int, asked_for: int
) -> None:
    more = Rights(
        everywhere=rights.everywhere,
        contained=rights.contained | {(right, given_for)},
    )
    for other in Right:
        before = rights.may_in(other, asked_for)
        expected = before or (other, asked_for) == (right, given_for)
        assert more.may_in(other, asked_for) is expected
        assert more.may(other) is rights.may(other)
    assert more.may_in(right, 0) is rights.may_in(right, 0)


@given(RIGHTS, st.sampled_from(sorted(Right)), st.integers(0, 6))
def test_a_right_is_held_where_it_was_given_and_nowhere_else(
    rights: Rights, right: Right, container: int
) -> None:
    was_given = right in rights.everywhere or (right, container) in rights.contained
    assert rights.may_in(right, container) is was_given
    if rights.may_in(right, container):
        assert rights.may_somewhere(right)


@given(RIGHTS, st.sampled_from([10, 11, 24, 25]))
def test_the_names_of_a_dialect_mean_the_same_rights(
    rights: Rights, major: int
) -> None:
    assert read_rights(rights.names(major)) == rights


@pytest.mark.parametrize("right", list(Right))
def test_both_families_name_the_same_rights_in_any_case(right: Right) -> None:
    role = ROLES[right]
    given = frozenset(other for other in Right if ROLES[other] == role)
    for name in (role, role.upper(), role.replace(": ", " :")):
        assert read_rights([name]) == Rights(everywhere=given)
    assert read_rights([right.value.upper()]) == Rights(everywhere=frozenset({right}))


def test_one_permission_of_10_reads_cas_and_templates() -> None:
    both = frozenset({Right.READ_AUTHORITIES, Right.READ_TEMPLATES})
    assert read_rights(["PkiManagement: Read"]) == Rights(everywhere=both)
    assert Rights(everywhere=both).names(10) == ["PkiManagement: Read"]


def test_containers_are_given_by_claim_and_by_container() -> None:
    expected = Rights(contained=frozenset({(Right.MODIFY_STORES, 2)}))
    assert read_rights(["/certificate_stores/modify/2/"]) == expected
    assert read_rights([], {"2": ["Modify"]}) == expected


def test_all_is_everything() -> None:
    assert read_rights(["all"]) == ALL_RIGHTS


@pytest.mark.parametrize(
    ("names", "containers"),
    [
        (["/certificate_stores/"], {}),
        (["/certificate_stores/modify/0/"], {}),
        (["/certificate_stores/destroy/2/"], {}),
        (["/agents/management/read/2/"], {}),
        (["CertificateStoreManagement: Delete"], {}),
        (["/certificate_stores/modify/\u0662/"], {}),
        ([""], {}),
        ([], {"0": ["Read"]}),
        ([], {"two": ["Read"]}),
        ([], {"2": ["EnrollCSR"]}),
    ],
)
def test_what_is_no_permission_is_refused(
    names: list[str], containers: dict[str, list[str]]
) -> None:
    with pytest.raises(SandboxError):
        read_rights(names, containers)


def test_all_wrong_names_are_told_at_once() -> None:
    with pytest.raises(SandboxError) as caught:
        read_rights(["one", "/agents/management/read/"], {"x": [], "2": ["two"]})
    for word in ("one", "'x'", "two"):
        assert word in str(caught.value)
    assert "agents" not in str(caught.value)


def test_a_container_cannot_have_a_right_that_is_not_of_stores() -> None:
    with pytest.raises(SandboxError):
        Rights(contained=frozenset({(Right.READ_AGENTS, 2)}))


def test_names_are_those_of_the_dialect() -> None:
    right = Right.MODIFY_STORES
    assert name_of(right, 10) == "CertificateStoreManagement: Modify"
    assert name_of(right, 11) == "/certificate_stores/modify/"
    assert name_of(right, 25, 7) == "/certificate_stores/modify/7/"


def test_enrollment_is_on_the_named_ones_in_any_case() -> None:
    held = Enrollment.on([r"HOST\CA 1"], None)
    assert held.on_authority(r"host\ca 1")
    assert not held.on_authority(r"host\ca 2")
    assert held.on_template("anything")
    assert not Enrollment.on(None, []).on_template("WebServer")
