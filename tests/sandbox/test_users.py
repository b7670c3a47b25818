"""Several users of one served sandbox: the log tells who asked for what."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sandbox.rig import SCHEDULED, UNSCHEDULE, UrlClient

from batch_reenroll.sandbox import FleetPlan, SandboxConfig, SandboxServer, Settings


@pytest.mark.asyncio
async def test_somebody_else_can_submit_and_withdraw_over_http(tmp_path: Path) -> None:
    config = SandboxConfig(
        directory=tmp_path,
        plan=FleetPlan(stores=2, orchestrators=1, offline=1, rsa_pct=0),
        settings=Settings(nightly_inventory=False),
        extra_users=(("portal", "portal-secret"), ("other", "other-secret")),
    )
    async with SandboxServer(config) as server:
        ours = UrlClient(server)
        theirs = UrlClient(server, signed_in=("portal", "portal-secret"))
        mixed = UrlClient(server, signed_in=("portal", "other-secret"))
        first, second = server.fleet.manifest_rows()

        assert (await mixed.get(SCHEDULED)).status == 401
        assert (await ours.reenroll(first)).status == 204
        assert (await theirs.reenroll(second)).status == 204
        body = json.dumps({"Query": f'Target -eq "{first["StorePath"]}"'}).encode()
        assert (await theirs.send("POST", UNSCHEDULE, body)).status == 204
        assert (await ours.get(SCHEDULED)).total == 1
        text = server.log_path.read_text()

    told = [
        (e["event"], e["by"]) for e in map(json.loads, text.splitlines()) if "by" in e
    ]
    assert told == [
        ("job_created", r"EXAMPLE\sandbox"),
        ("job_created", r"EXAMPLE\portal"),
        ("job_unscheduled", r"EXAMPLE\portal"),
    ]
    assert "portal-secret" not in text + repr(config)
