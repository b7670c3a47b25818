"""Laws of X.500 names, and an independent witness: cryptography's own parser."""

from __future__ import annotations

import pytest
from cryptography import x509
from hypothesis import assume, given
from hypothesis import strategies as st

from batch_reenroll.manifest.subject import (
    Name,
    SubjectInvalid,
    agent_warnings,
    parse,
    render,
    same_name,
)
from batch_reenroll.text import visible

values = st.text(
    st.sampled_from(list(' ,"+;<>\\#=aB7ä€')) | st.characters(codec="utf-8"),
    min_size=1,
    max_size=12,
).filter(lambda s: bool(s.strip()) and visible(s) == s)
kinds = st.sampled_from(["CN", "OU", "O", "L", "ST", "E", "DC", "UID", "T", "1.2.3.4"])
countries = st.tuples(st.just("C"), st.sampled_from(["US", "de"]))
rdns = st.lists(st.tuples(kinds, values) | countries, min_size=1, max_size=3).map(tuple)
names = st.lists(rdns, min_size=1, max_size=5).map(tuple)


@given(names)
def test_a_rendered_name_reads_back_equal(name: Name) -> None:
    assert parse(render(name)) == name


@given(names)
def test_a_quoted_name_reads_back_equal(name: Name) -> None:
    def quoted(value: str) -> str:
        return '"' + value.replace("\\", "\\\\").replace('"', '""') + '"'

    text = " , ".join(" + ".join(f"{k} = {quoted(v)}" for k, v in rdn) for rdn in name)
    assert parse(text) == name


@given(names)
def test_a_name_is_the_same_as_itself(name: Name) -> None:
    assert same_name(name, parse(render(name)))


@given(st.text(st.sampled_from(list(' ,"+;<>\\#=CNOU.1a2')), max_size=20))
def test_any_text_is_a_name_or_says_at_which_character_it_is_not(text: str) -> None:
    position = failing_position(text)
    if position is not None:
        assert 1 <= position <= len(text) + 1
        return
    name = parse(text)
    assert parse(render(name)) == name
    assert all(agent_warnings(name))


def failing_position(text: str) -> int | None:
    try:
        parse(text)
    except SubjectInvalid as invalid:
        return invalid.position
    return None


def as_witnessed(text: str) -> list[list[tuple[str, str]]]:
    name = x509.Name.from_rfc4514_string(text)
    # cryptography gives the RDNs in the order of the certificate: the other way round.
    return [
        sorted((str(a.oid.dotted_string), str(a.value)) for a in rdn)
        for rdn in reversed(name.rdns)
    ]


OIDS = {
    "CN": "2.5.4.3",
    "OU": "2.5.4.11",
    "O": "2.5.4.10",
    "L": "2.5.4.7",
    "ST": "2.5.4.8",
    "C": "2.5.4.6",
    "DC": "0.9.2342.19200300.100.1.25",
    "UID": "0.9.2342.19200300.100.1.1",
}


@given(names)
def test_cryptography_reads_a_rendered_name_as_we_do(name: Name) -> None:
    assume(all(kind in OIDS for rdn in name for kind, _ in rdn))
    # It refuses two equal attributes in one RDN, and values longer than X.520 allows.
    assume(all(len({kind for kind, _ in rdn}) == len(rdn) for rdn in name))
    try:
        witnessed = as_witnessed(render(name))
    except ValueError:
        return
    assert witnessed == [
        sorted((OIDS[kind], value) for kind, value in rdn) for rdn in name
    ]


@pytest.mark.parametrize(
    "text",
    [
        r"CN=websrvr14.keyexample.com,OU=IT,O=Key Example\, Inc.,ST=OH,C=US",
        r"CN=M\C3\BCller,DC=example,DC=com",
        "CN=a+OU=b,C=DE",
        r"CN=\#a\ ,UID=x",
    ],
)
def test_cryptography_accepts_and_agrees_on_names_of_the_rfc(text: str) -> None:
    ours = [sorted((OIDS[kind], value) for kind, value in rdn) for rdn in parse(text)]
    assert as_witnessed(text) == ours
