"""Java keystores: round trip, and every damage is noticed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_reenroll.sandbox.jks import BadKeystore, KeyEntry, read_jks, write_jks

ALIASES = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=20
).map(str.lower)
ENTRIES = st.lists(
    st.builds(
        KeyEntry,
        alias=ALIASES,
        created_ms=st.integers(0, 2**63 - 1),
        key=st.binary(min_size=1, max_size=300),
        chain=st.lists(st.binary(max_size=50), max_size=3).map(tuple),
    ),
    max_size=3,
)
ONE = KeyEntry(alias="web-0001", created_ms=1, key=b"key" * 60, chain=(b"leaf", b"ca"))


@given(ENTRIES, st.text(max_size=12).filter(str.isprintable))
def test_what_is_written_is_read_back(entries: list[KeyEntry], password: str) -> None:
    lowered = [entry for entry in entries if entry.alias == entry.alias.lower()]

    assert read_jks(write_jks(lowered, password), password) == tuple(lowered)


def test_aliases_are_folded_to_lower_case_as_java_does() -> None:
    entry = KeyEntry(alias="Web", created_ms=0, key=b"k", chain=())

    assert read_jks(write_jks([entry], "p"), "p")[0].alias == "web"


def test_the_key_does_not_lie_open() -> None:
    assert b"keykey" not in write_jks([ONE], "secret")


def test_another_password_opens_nothing() -> None:
    with pytest.raises(BadKeystore):
        read_jks(write_jks([ONE], "secret"), "other")


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_one_changed_byte_is_noticed(at: int, change: int) -> None:
    data = bytearray(write_jks([ONE], "secret"))
    data[at % len(data)] ^= change

    with pytest.raises(BadKeystore):
        read_jks(bytes(data), "secret")


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(BadKeystore):
        read_jks(data, "secret")
