"""Log lines and metrics of anybody's text: one line, readable, harmless."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from batch_reenroll.observe import Event, Level, json_line, text_line
from batch_reenroll.observe.exposition import exposition
from batch_reenroll.observe.family import Family, Histogram, Kind, Sample
from batch_reenroll.text import visible

NOW = datetime(2026, 11, 24, 1, 2, 3, 456000, UTC)

#: With every kind of character that has ever broken a line or fooled a reader.
texts = st.text(
    st.one_of(st.characters(), st.sampled_from('\n\r\x1b\x85\u2028\u202e"'))
)

values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        texts,
        st.datetimes(timezones=st.just(UTC)),
        st.binary(max_size=8),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)
    ),
    max_leaves=8,
)


def no_constant(name: str) -> float:
    message = f"{name} is no JSON"
    raise AssertionError(message)


@given(st.sampled_from(Level), texts, st.dictionaries(texts, values, max_size=4))
def test_a_log_line_is_one_json_object_whatever_it_speaks_of(
    level: Level, message: str, fields: dict[str, object]
) -> None:
    event = Event(name="row_ended", level=level, message=message, fields=fields)
    line = json_line(event, NOW)
    line.encode()
    assert line.splitlines() == [line]
    assert visible(line) == line
    entry = json.loads(line, parse_constant=no_constant)
    assert list(entry)[:4] == ["at", "level", "event", "message"]
    assert entry["at"] == "2026-11-24T01:02:03.456Z"
    assert (entry["level"], entry["event"]) == (level.word, "row_ended")


@given(texts)
def test_a_text_line_holds_nothing_that_a_terminal_obeys(message: str) -> None:
    event = Event(name="message", level=Level.INFO, message=message)
    for line in text_line(event, NOW).split("\n"):
        assert visible(line) == line


def test_a_long_text_is_cut_and_says_so() -> None:
    event = Event(
        name="error", level=Level.ERROR, message="", fields={"body": "x" * 1_000_000}
    )
    line = json_line(event, NOW)
    assert len(line) < 5_000
    assert "characters)" in line


@given(
    st.lists(
        st.tuples(texts, st.floats(allow_nan=False)), max_size=4, unique_by=lambda p: p
    )
)
def test_an_independent_parser_reads_labels_and_numbers_back(
    samples: list[tuple[str, float]],
) -> None:
    family = Family(
        name="batch_reenroll_things",
        kind=Kind.GAUGE,
        text='Things, "\\n" and \n all.',
        samples=tuple(Sample(value, {"name": text}) for text, value in samples),
    )
    (read,) = text_string_to_metric_families(exposition([family]).decode())
    assert read.type == "gauge"
    found = [(s.labels["name"], s.value) for s in read.samples]
    assert found == [(visible(text, 200), value) for text, value in samples]


@given(st.lists(st.floats(0, 100, allow_nan=False), max_size=20))
def test_a_histogram_counts_every_number_once(numbers: list[float]) -> None:
    histogram = Histogram((1.0, 10.0, 50.0))
    for number in numbers:
        histogram.add(number)
    family = Family(
        name="batch_reenroll_seconds",
        kind=Kind.HISTOGRAM,
        text="Seconds.",
        samples=tuple(histogram.samples({"kind": "a"})),
    )
    (read,) = text_string_to_metric_families(exposition([family]).decode())
    found = {(s.name, s.labels.get("le")): s.value for s in read.samples}
    for bound in (1.0, 10.0, 50.0, math.inf):
        name = "+Inf" if math.isinf(bound) else str(int(bound))
        below = sum(number <= bound for number in numbers)
        assert found["batch_reenroll_seconds_bucket", name] == below
    assert found["batch_reenroll_seconds_count", None] == len(numbers)
    assert math.isclose(found["batch_reenroll_seconds_sum", None], math.fsum(numbers))
