"""Small values: secrets, answers' headers, the query language, dialects."""

from __future__ import annotations

import base64
import json
import pickle
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_reenroll.command.answer import (
    Answer,
    retry_after_s,
    server_time,
    total_count,
)
from batch_reenroll.command.dialect import Family, parse_dialect
from batch_reenroll.command.query import all_of, any_of, condition, encode
from batch_reenroll.command.secret import Redactor, Secret

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
encodable = st.text(st.characters(exclude_categories=["Cs"]))


class TestSecret:
    def test_it_is_never_shown(self) -> None:
        secret = Secret("hunter22")
        shown = f"{secret} {secret!r} {secret!s} {[secret]}"
        assert "hunter22" not in shown
        assert secret.reveal() == "hunter22"

    def test_it_is_not_pickled(self) -> None:
        with pytest.raises(TypeError):
            pickle.dumps(Secret("hunter22"))

    def test_equal_values_are_equal(self) -> None:
        assert Secret("a") == Secret("a")
        assert Secret("a") != Secret("b")
        assert len({Secret("a"), Secret("a")}) == 1


class TestRedactor:
    @given(st.text(min_size=4), st.text(), st.text())
    def test_a_secret_is_taken_out_wherever_it_stands(
        self, secret: str, before: str, after: str
    ) -> None:
        cleaned = Redactor([secret]).clean(f"{before}{secret}{after}")
        # What stands around it may spell it once more, but not in its place.
        assert cleaned != f"{before}{secret}{after}" or set(secret) == {"*"}

    @pytest.mark.parametrize(
        "form",
        [
            'pass"word/1+ä',
            json.dumps('pass"word/1+ä')[1:-1],
            json.dumps('pass"word/1+ä', ensure_ascii=False)[1:-1],
            quote('pass"word/1+ä', safe=""),
            base64.b64encode('pass"word/1+ä'.encode()).decode(),
        ],
    )
    def test_every_form_it_travels_in_is_known(self, form: str) -> None:
        assert Redactor(['pass"word/1+ä']).clean(f"<{form}>") == "<********>"

    def test_a_token_is_redacted_once_it_is_known(self) -> None:
        redactor = Redactor()
        redactor.add_token("token-1234")
        assert redactor.clean("Bearer token-1234") == "Bearer ********"

    def test_very_short_secrets_do_not_make_holes(self) -> None:
        assert Redactor(["a", ""]).clean("banana") == "banana"


class TestHeaders:
    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("0", 0.0),
            ("120", 120.0),
            (" 3 ", 3.0),
            ("1.5", 1.5),
            ("-1", None),
            ("", None),
            ("soon", None),
            ("9" * 40, None),
            ("nan", None),
            ("Mon, 23 Nov 2026 12:01:00 GMT", 60.0),
            ("Mon, 23 Nov 2026 11:59:00 GMT", 0.0),
            ("Monday, 23-Nov-26 12:00:10 GMT", 10.0),
            ("Mon Nov 23 12:00:20 2026", 20.0),
        ],
    )
    def test_retry_after_is_seconds_or_a_date(
        self, text: str, seconds: float | None
    ) -> None:
        answer = Answer(status=429, headers={"retry-after": text})
        assert retry_after_s(answer, NOW) == seconds

    @given(st.text(), st.text())
    def test_no_header_makes_it_fail(self, text: str, date: str) -> None:
        answer = Answer(status=429, headers={"retry-after": text, "date": date})
        seconds = retry_after_s(answer, NOW)
        assert seconds is None or seconds >= 0

    @given(st.integers(0, 10**6))
    def test_a_date_later_by_n_seconds_asks_for_n_seconds(self, n: int) -> None:
        when = (NOW + timedelta(seconds=n)).strftime("%a, %d %b %Y %H:%M:%S GMT")
        answer = Answer(status=429, headers={"retry-after": when})
        assert retry_after_s(answer, NOW) == n

    @pytest.mark.parametrize(
        ("text", "count"),
        [("812", 812), ("0", 0), ("", None), ("-1", None), ("x", None), ("٣", None)],
    )
    def test_the_total_is_a_count_or_nothing(
        self, text: str, count: int | None
    ) -> None:
        assert total_count(Answer(status=200, headers={"x-total-count": text})) == count

    def test_a_date_is_utc(self) -> None:
        answer = Answer(status=200, headers={"date": "Mon, 23 Nov 2026 12:00:00 GMT"})
        assert server_time(answer) == NOW


class TestQuery:
    def test_conditions_are_written_in_commands_language(self) -> None:
        part = any_of([condition("Result", "eq", "4"), condition("Result", "eq", "3")])
        whole = all_of([part, "", condition("JobType", "contains", "Re")])
        assert whole == (
            '(Result -eq "4" OR Result -eq "3") AND JobType -contains "Re"'
        )

    @pytest.mark.parametrize("value", ['a"b', "a\nb", "\x00", "\x7f"])
    def test_a_value_that_cannot_be_written_is_refused(self, value: str) -> None:
        with pytest.raises(ValueError, match="filter on the client"):
            condition("StorePath", "eq", value)

    def test_a_space_is_percent_20(self) -> None:
        assert encode([("pq.q", "a b+c")]) == "pq.q=a%20b%2Bc"

    @given(st.lists(st.tuples(encodable.filter(bool), encodable)))
    def test_what_is_encoded_decodes_to_the_same(
        self, params: list[tuple[str, str]]
    ) -> None:
        decoded = parse_qsl(encode(params), keep_blank_values=True)
        assert decoded == params

    @given(st.text())
    def test_any_text_can_be_encoded(self, value: str) -> None:
        assert encode([("q", value)]).isascii()


class TestDialect:
    @pytest.mark.parametrize(
        ("text", "family"),
        [
            ("auto", None),
            ("prefixed", Family.PREFIXED),
            ("Plain", Family.PLAIN),
            ("10", Family.PREFIXED),
            ("11", Family.PLAIN),
            ("25.4", Family.PLAIN),
        ],
    )
    def test_a_user_names_a_family_or_a_version(
        self, text: str, family: Family | None
    ) -> None:
        assert parse_dialect(text) is family

    @pytest.mark.parametrize("text", ["", "new", "x10", "99999999"])
    def test_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="expected auto"):
            parse_dialect(text)
