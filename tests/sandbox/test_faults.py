"""Faults come by script: which request, how often, and what the client then sees."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from sandbox.rig import REENROLL, START, Caller, caller, rows_of

from batch_reenroll.sandbox import (
    Action,
    ConnectionDropped,
    FrontDoor,
    InProcessTransport,
    Match,
    Request,
    RequestFault,
    RequestFaults,
    SandboxError,
    load_faults,
)

STORES = "/KeyfactorAPI/CertificateStores"


class Wire:
    """An in-process transport with its rules, its log and the waits it made."""

    def __init__(self, *rules: RequestFault) -> None:
        self.caller: Caller = caller()
        self.log: list[dict[str, object]] = []
        self.waited: list[float] = []
        self.faults = RequestFaults(rules, seed=1)
        door = FrontDoor(self.caller.core, self.faults, self.log.append)
        self.call = InProcessTransport(door, now=lambda: START, sleep=self._wait)

    async def _wait(self, seconds: float) -> None:
        self.waited.append(seconds)

    def send(
        self, method: str, target: str, body: bytes = b""
    ) -> tuple[int, Any, bytes]:
        return asyncio.run(self.call(method, target, self.caller.headers, body))

    def post(self) -> tuple[int, Any, bytes]:
        row = rows_of(self.caller)[0]
        return self.send("POST", "/KeyfactorAPI" + REENROLL, json.dumps(row).encode())

    @property
    def jobs(self) -> int:
        return len(self.caller.core.world.scheduled)


def rule(**action: Any) -> RequestFault:
    return RequestFault(action=Action(**action))


def test_without_rules_a_request_passes() -> None:
    wire = Wire()

    assert wire.post()[0] == 204
    assert wire.jobs == 1
    assert [entry["status"] for entry in wire.log] == [204]
    assert "fault" not in wire.log[0]


def test_a_refusal_before_processing_makes_no_job() -> None:
    wire = Wire(rule(status=503, retry_after_s=7))
    status, headers, body = wire.post()

    assert (status, dict(headers)["Retry-After"]) == (503, "7")
    assert set(json.loads(body)) == {"ErrorCode", "Message"}
    assert wire.jobs == 0
    assert wire.log[0]["carried_out"] is False


def test_an_error_after_processing_has_made_the_job() -> None:
    wire = Wire(rule(status=500, processed=True))

    assert wire.post()[0] == 500
    assert wire.jobs == 1
    assert wire.log[0]["carried_out"] is True


def test_retry_after_can_be_an_http_date() -> None:
    headers = dict(Wire(rule(status=429, retry_after_date_s=90)).post()[1])

    assert headers["Retry-After"] == "Fri, 15 Jan 2027 08:01:30 GMT"


@pytest.mark.parametrize(("drop", "jobs"), [("before", 0), ("after", 1)])
def test_a_connection_is_dropped_before_or_after_processing(
    drop: str, jobs: int
) -> None:
    wire = Wire(rule(drop=drop))
    with pytest.raises(ConnectionDropped):
        wire.post()

    assert wire.jobs == jobs
    assert wire.log[0]["status"] is None


def test_a_body_is_cut_short() -> None:
    wire = Wire(rule(truncate_bytes=5))
    with pytest.raises(ConnectionDropped) as caught:
        wire.send("GET", STORES)

    assert caught.value.partial == b'[{"Id'


def test_delays_are_waited_for() -> None:
    wire = Wire(rule(delay_s=3.0, delay_after_s=4.0))

    assert wire.post()[0] == 204
    assert wire.waited == [3.0, 4.0]


def test_a_rule_hits_the_nth_match_and_as_many_as_told() -> None:
    wire = Wire(
        RequestFault(
            match=Match(method="GET", path="/certificatestores"),
            nth=2,
            times=2,
            action=Action(status=429),
        )
    )
    statuses = []
    for _ in range(5):
        statuses.append(wire.send("GET", STORES)[0])
        wire.send("GET", "/KeyfactorAPI/Agents")

    assert statuses == [200, 429, 429, 200, 200]


def test_a_rule_may_be_about_one_store() -> None:
    row = rows_of(caller())[0]
    match = Match(contains=row["KeystoreId"].upper())
    wire = Wire(RequestFault(match=match, times=None, action=Action(status=500)))

    assert wire.send("GET", STORES)[0] == 200
    assert wire.send("GET", f"{STORES}/{row['KeystoreId']}")[0] == 500
    assert wire.post()[0] == 500


def test_a_share_is_drawn_from_the_seed() -> None:
    def hits(seed: int) -> list[bool]:
        fault = RequestFault(times=None, share=0.3, action=Action(status=429))
        faults = RequestFaults([fault], seed=seed)
        request = Request(method="GET", target="/")
        return [faults.next_for(request) is not None for _ in range(200)]

    assert hits(1) == hits(1) != hits(2)
    assert 30 <= sum(hits(1)) <= 90


def test_a_script_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "faults.json"
    path.write_text(
        json.dumps(
            {
                "requests": [
                    {
                        "match": {"method": "POST", "path": "/Reenrollment"},
                        "nth": 3,
                        "times": 2,
                        "action": {"status": 503, "retry_after_s": 2},
                    }
                ],
                "jobs": [{"store_id": "x", "result": 3, "message": "careful"}],
            }
        )
    )
    script = load_faults(path)

    assert script.requests[0].action == Action(status=503, retry_after_s=2)
    assert script.requests[0].nth == 3
    assert script.jobs[0].message == "careful"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"request": []}',
        '{"requests": 5}',
        '{"requests": [5]}',
        '{"requests": [{}]}',
        '{"requests": [{"action": {"statuss": 503}}]}',
        '{"requests": [{"action": {"status": 99}}]}',
        '{"requests": [{"action": {"status": "503"}}]}',
        '{"requests": [{"action": {"drop": "never"}}]}',
        '{"requests": [{"action": {"page": "upside down"}}]}',
        '{"requests": [{"action": {"page": ["reverse"]}}]}',
        '{"requests": [{"action": {"delay_s": -1}}]}',
        '{"requests": [{"action": {}, "nth": 0}]}',
        '{"requests": [{"action": {}, "share": 0}]}',
        '{"jobs": [{"result": 1}]}',
        '{"jobs": [{"times": 0}]}',
    ],
)
def test_a_bad_script_is_refused_when_it_is_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "faults.json"
    path.write_text(text)

    with pytest.raises(SandboxError):
        load_faults(path)


def test_a_missing_script_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="No such file"):
        load_faults(tmp_path / "none.json")
