"""Canonical JSON as RFC 8785 has it, in its own examples."""

from __future__ import annotations

import pytest

from batch_reenroll.evidence.canonical import NotCanonical, canonical, parsed


def test_names_are_sorted_by_their_utf_16_units() -> None:
    """The example of RFC 8785, section 3.2.3."""
    value = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }
    order = ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    assert list(parsed(canonical(value))) == order


def test_text_is_escaped_no_more_than_it_must_be() -> None:
    """The string of RFC 8785, section 3.2.2, and its canonical form."""
    value = {"s": '\u20ac$\x0f\nA\'B"\\\\"/\x7f\u2028'}
    expected = '{"s":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/\x7f\u2028"}'
    assert canonical(value) == expected.encode()


def test_literals_and_whole_numbers() -> None:
    value = {"a": [None, True, False, 0, -1, 2**53], "b": {}, "c": []}
    text = b'{"a":[null,true,false,0,-1,9007199254740992],"b":{},"c":[]}'
    assert canonical(value) == text
    assert parsed(text) == value


@pytest.mark.parametrize("value", [1.5, 2**53 + 1, -(2**53) - 1, "\ud800", {"a": b""}])
def test_what_a_journal_may_not_hold_is_refused(value: object) -> None:
    with pytest.raises(NotCanonical):
        canonical({"v": value})
