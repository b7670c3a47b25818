"""Metrics of a campaign: what Prometheus scrapes and an OTLP collector receives."""

from __future__ import annotations

import contextlib
import gzip
import json
import signal
import socket
import threading
import urllib.error
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from acceptance.paper import write_manifest
from acceptance.served import QUICK, Row, Served
from acceptance.terminal import Terminal, signalled, until
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from batch_reenroll.campaign.lifecycle import OUTCOMES, State

LOOPBACK = "127.0.0.1"

Labels = frozenset[tuple[str, str]]


def scraped(url: str) -> dict[str, Metric]:
    """Return the families of a page, as an independent parser reads it."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        text = answer.read().decode()
    found = {f.name: f for f in text_string_to_metric_families(text)}
    assert len(found) == text.count("# TYPE ")
    return found


def refusal(url: str, path: str) -> int:
    """Return the status of another path."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(url.removesuffix("/metrics") + path, timeout=10)
    refused.value.close()
    return refused.value.code


def values(family: Metric, label: str) -> dict[str, float]:
    """Return a family's numbers by the value of one label, summed over the others."""
    found: dict[str, float] = defaultdict(float)
    for sample in family.samples:
        if not sample.name.endswith(("_bucket", "_sum", "_created")):
            found[sample.labels[label]] += sample.value
    return dict(found)


def one(family: Metric) -> float:
    (sample,) = family.samples
    return float(sample.value)


def address(log: Path) -> str:
    """Return where the metrics are, once the log says so."""
    for line in log.read_text().splitlines():
        entry = json.loads(line)
        if entry["event"] == "metrics_served":
            return str(entry["url"])
    return ""


@pytest.fixture(scope="module")
def scrapes(
    command: Served, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Terminal, list[Row], list[dict[str, Metric]]]:
    """A campaign that a row of an offline orchestrator keeps open, and its scrapes."""
    folder = tmp_path_factory.mktemp("metrics")
    terminal = Terminal(folder=folder, env=command.env)
    rows = command.rows(12, broken=2, offline=1)
    write_manifest(folder / "m.csv", rows)
    log = folder / "log"
    with log.open("w") as output:
        process = terminal.start(
            *("run", "m.csv", "--yes", "--campaign=c", "--log-format=json", *QUICK),
            *("--metrics-port=0", "--silent-heartbeats=0"),
            output=output,
        )
        url = until(lambda: address(log), process=process)
        pages: list[dict[str, Metric]] = []

        def ended() -> bool:
            pages.append(scraped(url))
            states = values(pages[-1]["batch_reenroll_rows"], "state")
            return sum(states[state] for state in OUTCOMES) == 11

        until(ended, process=process)
        refused = [refusal(url, path) for path in ("/", "/metrics/x", "/campaign")]
        assert signalled(process, signal.SIGINT).code == 130
    assert refused == [404, 404, 404]
    return terminal, rows, pages


def test_the_last_scrape_agrees_with_commands_own_log(
    command: Served, scrapes: tuple[Terminal, list[Row], list[dict[str, Metric]]]
) -> None:
    terminal, rows, pages = scrapes
    last = pages[-1]
    states = values(last["batch_reenroll_rows"], "state")
    assert states.keys() == set(State)
    ends = Counter(
        entry["event"] for entry in command.job_events(rows) if "job" in entry["event"]
    )
    assert sum(states.values()) == 12
    assert states["verified"] == 9
    assert states["failed"] == 2
    assert ends["job_created"] == 12
    requests = last["batch_reenroll_requests"]
    assert requests.type == "counter"
    posts = {
        s.labels["status"]: s.value
        for s in requests.samples
        if s.labels["kind"] == "submit"
    }
    assert posts == {"2xx": 12}
    assert one(last["batch_reenroll_attempts"]) == 12
    assert values(last["batch_reenroll_rows_ended"], "outcome")["failed"] == 2
    summary = json.loads((terminal.folder / "reports/c/summary.json").read_text())
    # Looks go on between the last scrape and the end.
    said = values(requests, "kind")
    assert said["submit"] == summary["requests"]["submit"]
    assert 0 < said["job_history"] <= summary["requests"]["job_history"]


def test_every_request_and_commit_is_in_a_histogram(
    scrapes: tuple[Terminal, list[Row], list[dict[str, Metric]]],
) -> None:
    last = scrapes[2][-1]
    took = last["batch_reenroll_request_duration_seconds"]
    assert took.type == "histogram"
    counts = {
        s.labels["kind"]: s.value for s in took.samples if s.name.endswith("_count")
    }
    assert counts == values(last["batch_reenroll_requests"], "kind")
    entries = last["batch_reenroll_ledger_commit_entries"].samples
    commits = last["batch_reenroll_ledger_commit_duration_seconds"].samples
    by_name = {s.name.rpartition("_")[2]: s.value for s in (*entries, *commits)}
    n_lines = len(
        (scrapes[0].folder / "reports/c/events.jsonl").read_text().splitlines()
    )
    (total,) = (s.value for s in entries if s.name.endswith("_sum"))
    assert 12 * 4 <= total < n_lines
    assert 0 < by_name["count"] <= total


def test_counters_never_go_back_and_names_keep_prometheus_rules(
    scrapes: tuple[Terminal, list[Row], list[dict[str, Metric]]],
) -> None:
    before: dict[tuple[str, Labels], float] = {}
    for page in scrapes[2]:
        for family in page.values():
            assert family.name.startswith("batch_reenroll_")
            assert family.documentation
            if family.type != "counter":
                assert not family.name.endswith("_total")
                continue
            for sample in family.samples:
                key = sample.name, frozenset(sample.labels.items())
                assert sample.value >= before.get(key, 0)
                before[key] = sample.value


def test_what_waits_and_what_limits_is_there(
    scrapes: tuple[Terminal, list[Row], list[dict[str, Metric]]],
) -> None:
    last = scrapes[2][-1]
    assert one(last["batch_reenroll_in_flight_rows"]) == 1
    assert one(last["batch_reenroll_command_up"]) == 1
    assert one(last["batch_reenroll_window_open"]) == 1
    assert one(last["batch_reenroll_pace_ceiling_per_second"]) == 100
    assert sum(values(last["batch_reenroll_pace_cause"], "cause").values()) == 1
    assert values(last["batch_reenroll_breakers_open"], "kind").keys() == {
        "orchestrator",
        "authority",
    }
    # Fewer than 50 rows have ended: the budget's percentage does not count yet.
    assert one(last["batch_reenroll_budget_used_ratio"]) == 0
    info = last["batch_reenroll_info"].samples[0]
    assert info.labels["campaign"] == "c"


def test_a_port_that_is_taken_exits_2_and_begins_nothing(
    terminal: Terminal, command: Served
) -> None:
    write_manifest(terminal.folder / "m.csv", command.rows(1))
    with socket.create_server((LOOPBACK, 0)) as other:
        port = other.getsockname()[1]
        words = ("--yes", f"--metrics-port={port}")
        done = terminal.run("run", "m.csv", *words).expect(2)
    assert f"--metrics-port {port} on 127.0.0.1 cannot be had" in done.err
    assert not (terminal.folder / "batch-reenroll.db").exists()


class Collector(ThreadingHTTPServer):
    """An OTLP/HTTP collector that keeps what it receives."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((LOOPBACK, 0), _Taking)
        self.taken: list[ExportMetricsServiceRequest] = []


class _Taking(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        assert self.path == "/v1/metrics"
        assert self.headers["Content-Type"] == "application/x-protobuf"
        self.server.taken.append(ExportMetricsServiceRequest.FromString(body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def collecting() -> Iterator[Collector]:
    with Collector() as collector:
        thread = threading.Thread(target=collector.serve_forever)
        thread.start()
        try:
            yield collector
        finally:
            collector.shutdown()
            thread.join()


def test_a_collector_receives_the_campaigns_last_state(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(3, broken=1)
    write_manifest(terminal.folder / "m.csv", rows)
    with collecting() as collector:
        env = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{LOOPBACK}:{collector.server_port}"
        }
        words = ("run", "m.csv", "--yes", "--campaign=c", "--otel", *QUICK)
        terminal.run(*words, env=env).expect(5)
        taken = collector.taken[-1]
    (resource,) = taken.resource_metrics
    about = {a.key: a.value.string_value for a in resource.resource.attributes}
    assert about["service.name"] == "batch-reenroll"
    assert about["batch_reenroll.campaign"] == "c"
    metrics = {m.name: m for scope in resource.scope_metrics for m in scope.metrics}
    states = {
        point.attributes[0].value.string_value: point.as_double or point.as_int
        for point in metrics["batch_reenroll_rows"].gauge.data_points
    }
    assert {state: n for state, n in states.items() if n} == {
        "verified": 2,
        "failed": 1,
    }
    requests = metrics["batch_reenroll_requests"].sum
    assert requests.is_monotonic
    took = metrics["batch_reenroll_request_duration_seconds"]
    assert took.unit == "s"
    assert sum(p.count for p in took.histogram.data_points) == sum(
        p.as_double or p.as_int for p in requests.data_points
    )


def test_a_collector_that_is_away_does_not_change_how_a_campaign_ends(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(2)
    write_manifest(terminal.folder / "m.csv", rows)
    with socket.create_server((LOOPBACK, 0)) as nobody:
        # Connected to, and never answered.
        env = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{LOOPBACK}:{nobody.getsockname()[1]}",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
        }
        words = ("run", "m.csv", "--yes", "--otel", "--log-format=json", *QUICK)
        done = terminal.run(*words, env=env).expect(0)
    entries = [json.loads(line) for line in done.err.splitlines()]
    loggers = {entry.get("logger", "") for entry in entries}
    assert any(name.startswith("opentelemetry") for name in loggers)


def test_a_missing_extra_exits_2_and_says_what_to_install(
    terminal: Terminal, command: Served
) -> None:
    write_manifest(terminal.folder / "m.csv", command.rows(1))
    # In front of the installed packages: one of the name, without what is needed.
    shadow = terminal.folder / "shadow" / "opentelemetry"
    shadow.mkdir(parents=True)
    (shadow / "__init__.py").touch()
    env = {"PYTHONPATH": str(shadow.parent)}
    done = terminal.run("run", "m.csv", "--yes", "--otel", env=env).expect(2)
    assert "pip install 'batch-reenroll[otel]'" in done.err
    assert not (terminal.folder / "batch-reenroll.db").exists()
