"""Laws of what certificates are compared by, and of the ladder of levels."""

from __future__ import annotations

import ipaddress
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from batch_reenroll.campaign.certificate import (
    CertificateFacts,
    Difference,
    differences,
    san,
    sans_of,
)
from batch_reenroll.campaign.endpoint import Contact, Endpoint, Served
from batch_reenroll.campaign.levels import (
    FINDINGS,
    Evidence,
    Level,
    Why,
    assess,
    record,
)
from batch_reenroll.campaign.nouns import ReenrollmentRequest

LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True).filter(
    lambda label: not label.startswith("xn--")
)
HOSTS = st.builds(".".join, st.lists(LABELS, min_size=2, max_size=4)).map(
    lambda host: f"{host}.example"
)
ADDRESSES = st.ip_addresses()
NAMES = st.sampled_from(["dns:a.example", "dns:b.example", "dns:*.c.example", "ip:::1"])
SETS = st.none() | st.frozensets(NAMES)
FACTS = st.builds(
    CertificateFacts,
    thumbprint=st.sampled_from(["aa", "bb"]),
    authority=st.sampled_from(["", r"ca\One", r"ca\Two"]),
    issuer_cn=st.sampled_from(["", "One", "Two"]),
    template=st.sampled_from(["", "WebServer", "Web Server"]),
    sans=SETS,
    ekus=st.none() | st.frozensets(st.sampled_from(["1.1", "1.2"])),
    key_type=st.sampled_from(["", "RSA", "EC"]),
    key_bits=st.none() | st.sampled_from([256, 2048, 4096]),
    key_id=st.sampled_from(["", "k1", "k2"]),
)
SERVED = st.none() | st.builds(
    Served, contact=st.sampled_from(Contact), thumbprint=st.sampled_from(["aa", "bb"])
)
EVIDENCE = st.builds(
    Evidence,
    request=st.builds(
        ReenrollmentRequest,
        keystore_id=st.just("s"),
        subject_name=st.just("CN=a"),
        agent_guid=st.just("o"),
        alias=st.just("a"),
        certificate_authority=st.none() | st.sampled_from([r"ca\One", r"ca\Two"]),
        certificate_template=st.none() | st.just("WebServer"),
        sans=st.none() | st.just({"dns": ["A.example"]}),
    ),
    after=st.none() | FACTS,
    before=st.none() | FACTS,
    endpoint=st.booleans(),
    served=SERVED,
    thumbprint_before=st.sampled_from(["aa", "bb"]),
    thumbprint_after=st.sampled_from(["aa", "bb"]),
)


@given(HOSTS, st.randoms(use_true_random=False))
def test_dns_names_compare_without_case_and_without_the_final_dot(
    host: str, rng: object
) -> None:
    assert san("DNS", host.upper()) == san("dnsName", f"{host}.") == f"dns:{host}"


@given(HOSTS)
def test_a_wildcard_is_a_name_of_its_own(host: str) -> None:
    assert san("dns", f"*.{host}") != san("dns", host)


@given(st.text(st.characters(min_codepoint=0xE0, max_codepoint=0x24F), min_size=1))
def test_an_international_name_is_the_same_in_both_spellings(label: str) -> None:
    plain = san("dns", f"{label}.example")
    assert plain is not None
    encoded = plain[4:].partition(".")[0].encode("punycode").decode()
    assert san("dns", f"XN--{encoded}.example") == plain


@given(ADDRESSES)
def test_an_address_is_its_value_however_it_is_written(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    kind = f"ip{address.version}"
    assert san(kind, address.exploded.upper()) == san("ip", address.compressed)


@given(st.lists(HOSTS, max_size=5))
def test_the_order_of_names_does_not_count(hosts: list[str]) -> None:
    assert sans_of({"dns": hosts}) == sans_of({"DNS": list(reversed(hosts))})


@given(FACTS)
def test_a_certificate_differs_in_nothing_from_itself_but_its_key_is_reused(
    facts: CertificateFacts,
) -> None:
    kinds = {kind for kind, _ in differences(facts, facts)}
    assert kinds <= {Difference.KEY_REUSED}
    assert bool(kinds) is bool(facts.key_id)


@given(FACTS)
def test_facts_survive_the_ledger(facts: CertificateFacts) -> None:
    assert CertificateFacts.from_json(facts.as_json()) == facts


@given(FACTS, FACTS)
def test_what_is_lost_one_way_is_added_the_other(
    a: CertificateFacts, b: CertificateFacts
) -> None:
    def of(kind: Difference, found: object) -> set[str]:
        return {text for k, text in found if k is kind}  # type: ignore[attr-defined]

    there, back = differences(a, b), differences(b, a)
    assert of(Difference.SAN_LOST, there) == of(Difference.SAN_ADDED, back)
    assert of(Difference.EKU_LOST, there) == of(Difference.EKU_ADDED, back)


@given(EVIDENCE)
def test_a_level_holds_all_below_it(evidence: Evidence) -> None:
    standing = assess(evidence)
    assert Level.PRESENT <= standing.level <= Level.SERVED
    assert (standing.why is None) is (standing.level is Level.SERVED)
    kinds = {kind for kind, _ in standing.differences}
    if standing.level >= Level.INTENDED:
        assert evidence.after is not None
        assert evidence.before is not None
        assert evidence.before.key_id != evidence.after.key_id
    if standing.level >= Level.EQUIVALENT:
        assert not kinds & {Difference.SAN_LOST, Difference.EKU_LOST}
    if standing.level >= Level.SERVED:
        assert evidence.served is not None
        assert evidence.served.thumbprint == evidence.thumbprint_after


@given(EVIDENCE)
def test_what_is_not_known_is_never_a_finding(evidence: Evidence) -> None:
    blind = replace(evidence, after=None, before=None, served=None)
    assert assess(blind).finding is None


@given(EVIDENCE)
def test_a_lost_name_is_always_found(evidence: Evidence) -> None:
    standing = assess(evidence)
    lost = any(kind is Difference.SAN_LOST for kind, _ in standing.differences)
    if lost:
        assert standing.finding in (
            FINDINGS[Why.SAN_LOST],
            FINDINGS[Why.AUTHORITY_DIFFERS],
        )
        assert standing.level < Level.EQUIVALENT


@given(EVIDENCE)
def test_the_record_says_level_and_finding(evidence: Evidence) -> None:
    standing = assess(evidence)
    kept = record(evidence, standing, endpoint="a:1")
    assert kept["level"] == standing.level
    assert kept.get("why") == standing.why
    assert kept.get("finding") == standing.finding


@given(HOSTS | ADDRESSES.map(str), st.integers(1, 65_535), st.just("") | HOSTS)
def test_an_endpoint_reads_back_what_it_writes(host: str, port: int, name: str) -> None:
    endpoint = Endpoint(host=host, port=port, name=name)
    assert Endpoint.parse(str(endpoint)) == endpoint
