"""Text that crosses a border, case by case. The laws are property tests."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta, timezone

import pytest

from batch_reenroll.text import (
    canonical_json,
    defuse,
    parse_time,
    plain,
    rfc3339,
    sha256_hex,
    undefuse,
    visible,
)


class TestDefuse:
    @pytest.mark.parametrize("first", list("=+-@\t\r\n＝＋－＠"))
    def test_a_cell_that_a_spreadsheet_would_run_gets_a_quote(self, first: str) -> None:
        assert defuse(first + "1+1") == "'" + first + "1+1"

    @pytest.mark.parametrize("cell", ["", "a", "1", "a=1", " =1", "'quoted'", "''"])
    def test_any_other_cell_is_left_alone(self, cell: str) -> None:
        assert defuse(cell) == cell

    def test_a_cell_that_looks_defused_gets_one_more_quote(self) -> None:
        assert defuse("'=1") == "''=1"

    @pytest.mark.parametrize("cell", ["", "'", "'a", "a", "=1"])
    def test_what_was_not_defused_comes_back_unchanged(self, cell: str) -> None:
        assert undefuse(cell) == cell

    def test_exactly_one_quote_is_undone(self) -> None:
        assert undefuse("''=1") == "'=1"


class TestVisible:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("plain ä €", "plain ä €"),
            ("a\nb", "a\\nb"),
            ("\x1b[31m", "\\x1b[31m"),
            ("\x00\x7f\x9b", "\\x00\\x7f\\x9b"),
            ("\u202egpj.exe", "\\u202egpj.exe"),
            ("\u2028", "\\u2028"),
            ("\ud800", "\\ud800"),
        ],
    )
    def test_control_characters_are_escaped(self, text: str, shown: str) -> None:
        assert visible(text) == shown

    def test_a_text_of_just_the_limit_is_whole(self) -> None:
        assert visible("x" * 16, 16) == "x" * 16

    def test_what_is_cut_is_counted(self) -> None:
        assert visible("x" * 1000, 100) == "x" * 74 + "… (+926 characters)"

    @pytest.mark.parametrize(
        "text", ["x" * 1000, "\x00" * 100], ids=["long", "escaped"]
    )
    def test_no_result_is_longer_than_the_limit(self, text: str) -> None:
        assert len(visible(text, 100)) <= 100


class TestPlain:
    def test_white_space_is_folded(self) -> None:
        assert plain(" a \t\r\n b\u00a0c ") == "a b c"

    def test_two_ways_to_write_a_letter_become_one(self) -> None:
        assert plain("e\u0301") == plain("\u00e9") == "\u00e9"


class TestCanonicalJson:
    def test_keys_are_sorted_and_there_is_no_white_space(self) -> None:
        assert canonical_json({"b": [1, 2], "a": {"d": None, "c": True}}) == (
            '{"a":{"c":true,"d":null},"b":[1,2]}'
        )

    def test_a_tuple_is_an_array(self) -> None:
        assert canonical_json((1, "a")) == '[1,"a"]'

    def test_strings_are_escaped_as_rfc_8785_asks(self) -> None:
        # The string of RFC 8785, section 3.2.2, and what its section 3.2.4 makes of it.
        text = '€$\x0f\nA\'B"\\\\"/'
        assert canonical_json(text) == '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'

    @pytest.mark.parametrize("value", [1.0, float("nan"), b"x", {1}, object()])
    def test_what_has_no_canonical_form_is_refused(self, value: object) -> None:
        with pytest.raises(TypeError):
            canonical_json({"a": [value]})

    @pytest.mark.parametrize("value", [2**53, -(2**53), 0, True])
    def test_whole_numbers_that_a_double_can_hold_are_accepted(
        self, value: int
    ) -> None:
        assert canonical_json(value) == ("true" if value is True else str(value))

    def test_a_lone_surrogate_makes_no_text_that_cannot_be_encoded(self) -> None:
        canonical_json({"a": "\ud800"}).encode()

    def test_a_lone_surrogate_becomes_the_replacement_character(self) -> None:
        assert canonical_json("a\ud800b") == '"a\ufffdb"'

    def test_a_key_with_a_lone_surrogate_makes_none_either(self) -> None:
        canonical_json({"\ud800": 1}).encode()

    def test_a_whole_number_that_a_double_cannot_hold_is_refused(self) -> None:
        with pytest.raises((TypeError, ValueError)):
            canonical_json(2**53 + 1)


class TestSha256:
    def test_it_is_that_of_the_text_in_utf_8(self) -> None:
        assert sha256_hex("ä") == hashlib.sha256(b"\xc3\xa4").hexdigest()

    def test_any_text_has_one(self) -> None:
        assert len(sha256_hex("\ud800")) == 64


class TestRfc3339:
    def test_a_moment_is_shown_in_utc_to_the_millisecond(self) -> None:
        chicago = timezone(timedelta(hours=-6))
        moment = datetime(2026, 11, 23, 12, 40, 0, 123_999, tzinfo=chicago)
        assert rfc3339(moment) == "2026-11-23T18:40:00.123Z"

    def test_a_moment_without_a_zone_is_refused(self) -> None:
        with pytest.raises(ValueError):
            rfc3339(datetime(2026, 11, 23))  # noqa: DTZ001 - the point of the test


class TestParseTime:
    @pytest.mark.parametrize(
        "text",
        [
            "2026-11-23T18:40:00Z",
            "2026-11-23T18:40:00",
            "2026-11-23 18:40:00",
            "2026-11-23t18:40:00z",
            "2026-11-23T18:40:00.000Z",
            "2026-11-23T18:40:00.0000000",
            "2026-11-23T18:40:00+00:00",
            "2026-11-23T12:40:00-06:00",
            "2026-11-24T00:10:00+05:30",
            "  2026-11-23T18:40:00Z\n",
        ],
    )
    def test_every_form_of_a_moment_is_read(self, text: str) -> None:
        assert parse_time(text) == datetime(2026, 11, 23, 18, 40, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("fraction", "micros"),
        [
            ("1", 100_000),
            ("123", 123_000),
            ("1234567", 123_456),
            ("000000999", 0),
            ("9999999", 999_999),
        ],
    )
    def test_a_fraction_of_any_length_is_cut_to_the_microsecond(
        self, fraction: str, micros: int
    ) -> None:
        moment = parse_time(f"2026-11-23T18:40:00.{fraction}Z")
        assert moment is not None
        assert moment.microsecond == micros

    def test_what_is_read_is_in_utc(self) -> None:
        moment = parse_time("2026-11-23T12:40:00-06:00")
        assert moment is not None
        assert moment.tzinfo is UTC

    def test_the_earliest_moment_of_dot_net_is_read(self) -> None:
        assert parse_time("0001-01-01T00:00:00") == datetime(1, 1, 1, tzinfo=UTC)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "now",
            "2026-11-23",
            "2026-11-23T18:40",
            "2026-13-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-11-23T25:00:00Z",
            "2026-11-23T18:40:00.Z",
            "2026-11-23T18:40:00+0000",
            "2026-11-23T18:40:00+99:99",
            "0001-01-01T00:00:00+01:00",
            "9999-12-31T23:59:59-01:00",
            "٢٠٢٦-11-23T18:40:00Z",
            "2026-11-23T18:40:00Z and more",
        ],
    )
    def test_anything_else_is_no_moment(self, text: str) -> None:
        assert parse_time(text) is None
