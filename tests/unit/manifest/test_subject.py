"""X.500 names: what is read, what is refused and where, what agents mangle."""

from __future__ import annotations

import pytest

from batch_reenroll.manifest.subject import (
    SubjectInvalid,
    agent_warnings,
    parse,
    render,
    same_name,
)

DOCUMENTED = (
    'CN=websrvr14.keyexample.com,OU=IT,O="Key Example, Inc.",L=Independence,ST=OH,C=US'
)


def flat(text: str) -> list[tuple[str, str]]:
    return [pair for rdn in parse(text) for pair in rdn]


def test_the_documented_example_is_read() -> None:
    assert flat(DOCUMENTED) == [
        ("CN", "websrvr14.keyexample.com"),
        ("OU", "IT"),
        ("O", "Key Example, Inc."),
        ("L", "Independence"),
        ("ST", "OH"),
        ("C", "US"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        'O="Key Example, Inc."',
        r"O=Key Example\, Inc.",
        r"O=Key Example\2C Inc.",
        r'o = "Key Example\, Inc." ',
        r"2.5.4.10=Key Example\, Inc.",
        r"OID.2.5.4.10=Key Example\, Inc.",
        "organizationName=#0C114B6579204578616D706C652C20496E632E",
    ],
)
def test_all_spellings_of_one_value_are_equal(text: str) -> None:
    assert flat(text) == [("O", "Key Example, Inc.")]


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ('CN="a ""b"" c"', [("CN", 'a "b" c')]),
        (r'CN="a \"b\" c"', [("CN", 'a "b" c')]),
        (r"CN=M\C3\BCller", [("CN", "Müller")]),
        ("CN=Müller", [("CN", "Müller")]),
        ("CN=a\\  ", [("CN", "a ")]),
        ("CN=  a  ,  OU=b", [("CN", "a"), ("OU", "b")]),
        ("CN=a=b", [("CN", "a=b")]),
        (r"CN=\#a", [("CN", "#a")]),
        ("OU=a,OU=b", [("OU", "a"), ("OU", "b")]),
        ("S=Ohio,emailAddress=a@b", [("ST", "Ohio"), ("E", "a@b")]),
        ("1.2.3.4=x", [("1.2.3.4", "x")]),
        ("CN=#1E0400410042", [("CN", "AB")]),
        (r"CN=\\\,", [("CN", "\\,")]),
        (r"CN=a\\  ,OU=b", [("CN", "a\\"), ("OU", "b")]),
    ],
)
def test_values_are_read_as_meant(text: str, pairs: list[tuple[str, str]]) -> None:
    assert flat(text) == pairs


def test_plus_joins_attributes_into_one_rdn() -> None:
    assert parse("CN=a+SERIALNUMBER=1,C=US") == (
        (("CN", "a"), ("SERIALNUMBER", "1")),
        (("C", "US"),),
    )


@pytest.mark.parametrize(
    ("text", "position", "said"),
    [
        ("", 1, "empty"),
        ("   ", 1, "empty"),
        ("CN=a,", 6, "expected an attribute"),
        ("CN=a,,OU=b", 6, "expected an attribute"),
        ("CN=a;OU=b", 5, "comma"),
        ("CN=a,Inc.", 6, "double quotes"),
        ("/CN=a", 1, "OpenSSL"),
        ("CNN=a", 1, "did you mean CN?"),
        ("OU=", 4, "no value"),
        ('OU=""', 4, "no value"),
        ('CN="a', 4, "never closed"),
        ('CN="a"b', 7, "comma"),
        ('CN=a"b', 5, '\\"'),
        ("CN=a<b", 5, "\\<"),
        ("CN=C++", 6, "\\+"),
        ("CN=a\\", 5, "backslash"),
        (r"CN=a\q", 5, "no escape"),
        (r"CN=\FF", 4, "no escape"),
        ("CN=#0", 4, "hexadecimal"),
        ("CN=#0500", 4, "DER string"),
        ("CN=#0C0541", 4, "DER string"),
        ("CN=#0C01FF", 4, "DER string"),
        ("C=USA", 3, "two letters"),
        ("C=1A", 3, "two letters"),
        ("9.1.2=a", 1, "not an OID"),
        ("CN=a\nb", 4, "control character"),
        ("CN=a\u202eb", 4, "control character"),
    ],
)
def test_a_bad_name_says_where_and_why(text: str, position: int, said: str) -> None:
    with pytest.raises(SubjectInvalid) as invalid:
        parse(text)
    assert invalid.value.position == position
    assert said in str(invalid.value)


def test_names_are_the_same_whatever_the_spacing_quoting_and_keyword_case() -> None:
    other = "cn=websrvr14.keyexample.com, ou=IT, O=Key  Example\\, Inc., l=Independence"
    assert same_name(parse(DOCUMENTED), parse(other + ", S=OH, c=US"))


def test_names_that_differ_in_a_value_are_not_the_same() -> None:
    assert not same_name(parse("CN=a,O=B"), parse("CN=a,O=b"))


def test_the_order_inside_an_rdn_does_not_matter_that_of_rdns_does() -> None:
    assert same_name(parse("CN=a+OU=b"), parse("OU=b+CN=a"))
    assert not same_name(parse("CN=a,OU=b"), parse("OU=b,CN=a"))


def test_render_escapes_what_rfc_4514_wants_escaped() -> None:
    name = (((("CN"), '#a,b+"c"\\ '),),)
    assert render(name) == 'CN=\\#a\\,b\\+\\"c\\"\\\\\\ '


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (DOCUMENTED, ["Key Example, Inc."]),
        ("CN=a,DC=b", ["DC"]),
        ("OU=a,OU=b", ["OU stands 2 times"]),
        ("CN=a,OU=b,C=US", []),
    ],
)
def test_agents_weaknesses_are_named(text: str, named: list[str]) -> None:
    warnings = agent_warnings(parse(text))
    assert len(warnings) == len(named)
    assert all(word in said for word, said in zip(named, warnings, strict=True))
