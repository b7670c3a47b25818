"""X.500 subjects: quoted, escaped, multi-valued; and what no CSR can carry."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_reenroll.sandbox.names import (
    BadSubject,
    Rdn,
    common_name,
    parse_subject,
    render,
)

SEED = (
    'CN=websrvr14.keyexample.com,OU=IT,O="Key Example, Inc.",L=Independence,ST=OH,C=US'
)


def test_the_documented_example() -> None:
    assert parse_subject(SEED)[2] == (("O", "Key Example, Inc."),)


def test_quoted_and_escaped_forms_are_the_same_name() -> None:
    assert parse_subject(r"O=Key Example\, Inc.") == parse_subject(
        'O="Key Example, Inc."'
    )


@pytest.mark.parametrize(
    ("text", "rdns"),
    [
        ("CN=a", ((("CN", "a"),),)),
        (" cn = a b , o = c ", ((("CN", "a b"),), (("O", "c"),))),
        ("CN=a+UID=b,C=US", ((("CN", "a"), ("UID", "b")), (("C", "US"),))),
        (r"CN=a\ ", ((("CN", "a "),),)),
        (r"CN=\C3\A9", ((("CN", "é"),),)),
        (r"CN=a\\b", ((("CN", "a\\b"),),)),
        (r'CN="a\"b"', ((("CN", 'a"b'),),)),
        ("S=OH", ((("ST", "OH"),),)),
        ("2.5.4.3=a", ((("2.5.4.3", "a"),),)),
        ("OU=a,OU=b", ((("OU", "a"),), (("OU", "b"),))),
    ],
)
def test_a_subject_is_read(text: str, rdns: tuple[Rdn, ...]) -> None:
    assert parse_subject(text) == rdns


@pytest.mark.parametrize(
    "text",
    [
        *("", "a", "CN=", 'CN=""', "CN=a,", ",CN=a", "XX=a", "C=USA", "C=1A"),
        *('CN="a', 'CN="a"b', 'CN=a"b', "CN=a\\", r"CN=\FF", "CN=a\nb", "CN=\ud800"),
        "CN=" + "a" * 65,
        "9.9=a",
    ],
)
def test_what_is_no_subject_is_refused(text: str) -> None:
    with pytest.raises(BadSubject):
        parse_subject(text)


VALUES = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")),
    min_size=1,
    max_size=20,
)


@given(st.lists(st.tuples(st.sampled_from(("CN", "O", "OU")), VALUES), min_size=1))
def test_what_is_rendered_is_read_back(pairs: list[tuple[str, str]]) -> None:
    rdns = tuple((pair,) for pair in pairs)

    assert parse_subject(render(rdns)) == rdns


def test_the_common_name_is_the_first_one() -> None:
    assert common_name(parse_subject("O=x,CN=a,CN=b")) == "a"
    assert common_name(parse_subject("O=x")) is None
