"""One contract for both ways of doing the work: real X.509 and in memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from batch_reenroll.sandbox.ca import open_authorities
from batch_reenroll.sandbox.draw import draw_fleet
from batch_reenroll.sandbox.fleet import FleetPlan, PlannedStore
from batch_reenroll.sandbox.policy import NEW_CA, WEB_SERVER, WEB_SERVER_RSA, Template
from batch_reenroll.sandbox.realworks import RealWorks
from batch_reenroll.sandbox.simworks import SimulatedWorks
from batch_reenroll.sandbox.storefiles import file_path, read_store
from batch_reenroll.sandbox.storetypes import StoreFormat
from batch_reenroll.sandbox.works import (
    Enrolled,
    Inventoried,
    InventoryOrder,
    ReenrollOrder,
    StoreWorks,
    WorkFailed,
)

AT = 1_800_000_000.0
DAY_S = 86_400.0
FLEET = draw_fleet(FleetPlan(stores=40, iis_stores=1, rsa_pct=0))
STORES = {store.file_format: store for store in FLEET.stores if store.alias}
(IIS_STORE,) = (store for store in FLEET.stores if not store.alias)


@pytest.fixture(params=["real", "simulated"])
def works(request: pytest.FixtureRequest, tmp_path: Path) -> StoreWorks:
    if request.param == "simulated":
        return SimulatedWorks()
    return RealWorks(tmp_path, open_authorities(tmp_path / "ca", at=AT))


@pytest.fixture(params=list(StoreFormat))
def store(request: pytest.FixtureRequest) -> PlannedStore:
    return STORES[request.param]


def an_order(store: PlannedStore) -> ReenrollOrder:
    return ReenrollOrder(
        order_id=1,
        store=store,
        alias=store.alias,
        subject=store.subject,
        sans={},
        authority=NEW_CA,
        template=WEB_SERVER,
        at=AT,
        later_than=AT - 300 * DAY_S,
    )


def inventory(works: StoreWorks, store: PlannedStore) -> Inventoried:
    result = works.perform(InventoryOrder(order_id=2, store=store))
    assert isinstance(result, Inventoried)
    return result


def enrolled(works: StoreWorks, order: ReenrollOrder) -> Enrolled:
    result = works.perform(order)
    assert isinstance(result, Enrolled), result
    return result


def test_the_first_certificate_is_about_to_expire(
    works: StoreWorks, store: PlannedStore
) -> None:
    (entry,) = works.lay_out(store, at=AT)
    leaf = entry.certificates[0]

    assert entry.alias == store.alias
    assert leaf.not_before < AT < leaf.not_after <= AT + 30 * DAY_S
    assert leaf.subject.startswith(f"CN={store.alias}.example.com, OU=")


def test_laying_out_twice_changes_nothing(
    works: StoreWorks, store: PlannedStore
) -> None:
    assert works.lay_out(store, at=AT) == works.lay_out(store, at=AT + DAY_S)


def test_inventory_reads_what_was_laid_out(
    works: StoreWorks, store: PlannedStore
) -> None:
    assert works.lay_out(store, at=AT) == inventory(works, store).entries


def test_a_store_that_is_not_there_cannot_be_inventoried(
    works: StoreWorks, store: PlannedStore
) -> None:
    result = works.perform(InventoryOrder(order_id=1, store=store))

    assert isinstance(result, WorkFailed)
    assert store.path in result.message


def test_reenrollment_replaces_the_certificate(
    works: StoreWorks, store: PlannedStore
) -> None:
    old = works.lay_out(store, at=AT)[0].certificates[0]
    new = enrolled(works, an_order(store)).certificate
    (entry,) = inventory(works, store).entries

    assert entry.certificates[0] == new
    assert entry.alias == store.alias
    assert new.thumbprint != old.thumbprint
    assert new.serial != old.serial
    assert new.subject == old.subject
    assert new.issuer != old.issuer
    assert new.not_before > old.not_before


def test_the_certificate_is_backdated_and_lives_as_the_template_says(
    works: StoreWorks, store: PlannedStore
) -> None:
    works.lay_out(store, at=AT)
    new = enrolled(works, an_order(store)).certificate

    assert (new.not_before, new.not_after) == (AT - 600, AT + 90 * DAY_S)


def test_a_second_reenrollment_at_once_still_has_a_later_not_before(
    works: StoreWorks, store: PlannedStore
) -> None:
    works.lay_out(store, at=AT)
    first = enrolled(works, an_order(store)).certificate
    again = replace(an_order(store), later_than=first.not_before)

    assert enrolled(works, again).certificate.not_before > first.not_before


@pytest.mark.parametrize("fault", ["no subject at all", "CN=a,C=USA", 'O="open'])
def test_a_subject_that_no_csr_can_carry_fails_and_leaves_the_store_alone(
    works: StoreWorks, store: PlannedStore, fault: str
) -> None:
    before = works.lay_out(store, at=AT)
    result = works.perform(replace(an_order(store), subject=fault))

    assert isinstance(result, WorkFailed)
    assert result.message.startswith("Unable to create a CSR: ")
    assert inventory(works, store).entries == before


@pytest.mark.parametrize("alias", ["a\nb", " ", "x" * 201, "\ud800"])
def test_an_alias_that_no_store_can_hold_fails(
    works: StoreWorks, store: PlannedStore, alias: str
) -> None:
    before = works.lay_out(store, at=AT)

    assert isinstance(works.perform(replace(an_order(store), alias=alias)), WorkFailed)
    assert inventory(works, store).entries == before


def test_only_a_java_keystore_holds_a_second_alias(
    works: StoreWorks, store: PlannedStore
) -> None:
    works.lay_out(store, at=AT)
    enrolled(works, replace(an_order(store), alias="second"))
    aliases = [entry.alias for entry in inventory(works, store).entries]

    is_java = store.file_format is StoreFormat.JKS
    assert aliases == ([store.alias, "second"] if is_java else ["second"])


@pytest.mark.parametrize(
    ("template", "kind"),
    [
        (WEB_SERVER, ec.EllipticCurvePrivateKey),
        (WEB_SERVER_RSA, rsa.RSAPrivateKey),
    ],
    ids=["ec", "rsa"],
)
def test_the_template_decides_the_key(
    tmp_path: Path, template: Template, kind: type
) -> None:
    store = STORES[StoreFormat.PEM]
    works = RealWorks(tmp_path, open_authorities(tmp_path / "ca", at=AT))
    enrolled(works, replace(an_order(store), template=template))
    (entry,) = read_store(file_path(tmp_path, store), store)

    assert isinstance(entry.key, kind)


@pytest.mark.parametrize(
    "sans",
    [
        *({"ip4": ("a",)}, {"ip4": ("::1",)}, {"dns": ("é.com",)}),
        *({"email": ("nobody",)}, {"upn": ("nobody",)}, {"upn": ("a\n@b",)}),
    ],
)
def test_sans_that_no_csr_can_carry_fail(
    works: StoreWorks, store: PlannedStore, sans: dict[str, tuple[str, ...]]
) -> None:
    works.lay_out(store, at=AT)
    result = works.perform(replace(an_order(store), sans=sans))

    assert isinstance(result, WorkFailed)
    assert result.message.startswith("Unable to create a CSR: ")


def test_sans_of_the_request_are_in_the_certificate(tmp_path: Path) -> None:
    store = STORES[StoreFormat.PEM]
    works = RealWorks(tmp_path, open_authorities(tmp_path / "ca", at=AT))
    sans = {
        "dns": ("a.example.com",),
        "ip4": ("192.0.2.1",),
        "ip6": ("2001:db8::1",),
        "email": ("ops@example.com",),
    }
    enrolled(works, replace(an_order(store), sans=sans))
    (entry,) = read_store(file_path(tmp_path, store), store)
    names = entry.chain[0].extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )

    assert [str(name.value) for name in names.value] == [
        value for values in sans.values() for value in values
    ]


@pytest.mark.parametrize("name", ["jö@example.com", "x" * 200 + "@example.com"])
def test_a_user_principal_name_is_kept_as_windows_does(
    tmp_path: Path, name: str
) -> None:
    store = STORES[StoreFormat.PEM]
    works = RealWorks(tmp_path, open_authorities(tmp_path / "ca", at=AT))
    enrolled(works, replace(an_order(store), sans={"upn": (name,)}))
    (entry,) = read_store(file_path(tmp_path, store), store)
    extension = entry.chain[0].extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    (other,) = extension.value.get_values_for_type(x509.OtherName)

    assert other.type_id.dotted_string == "1.3.6.1.4.1.311.20.2.3"
    tag, text = other.value[0], other.value[-len(name.encode()) :].decode()
    assert (tag, text) == (12, name)  # 12 = UTF8String


def test_where_aliases_are_thumbprints_each_certificate_has_its_own(
    works: StoreWorks,
) -> None:
    (old,) = works.lay_out(IIS_STORE, at=AT)
    order = replace(an_order(IIS_STORE), alias=old.alias)
    new = enrolled(works, order)
    (entry,) = inventory(works, IIS_STORE).entries

    assert old.alias == old.certificates[0].thumbprint
    assert entry.alias == new.alias == new.certificate.thumbprint != old.alias


def test_the_alias_under_which_a_certificate_lies_is_told(
    works: StoreWorks, store: PlannedStore
) -> None:
    works.lay_out(store, at=AT)
    told = enrolled(works, replace(an_order(store), alias="Second")).alias

    assert told in [entry.alias for entry in inventory(works, store).entries]
