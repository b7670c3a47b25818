"""Settings and configurations that cannot be are refused when they are made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from batch_reenroll.sandbox import (
    CaPolicy,
    Identity,
    SandboxConfig,
    SandboxError,
    Settings,
)


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": 70_000},
        {"workers": 0},
        {"user": "a:b"},
        {"user": ""},
        {"password": ""},
        {"extra_users": (("a:b", "x"),)},
        {"extra_users": (("", "x"),)},
        {"extra_users": (("other", ""),)},
        {"extra_users": (("SANDBOX", "x"),)},
        {"eager_stores": -1},
        {"management_port": 70_000},
        {"management_key": ""},
        {"auth": "kerberos"},
        {"auth": "oauth", "client_id": ""},
        {"auth": "oauth", "client_secret": ""},
        {"auth": "oauth", "scopes": ("two words",)},
        {"identities": (Identity(user="SANDBOX"),)},
        {"policy": CaPolicy(accounts={"some ca": "nobody"})},
    ],
)
def test_an_impossible_configuration_is_refused(
    tmp_path: Path, wrong: dict[str, Any]
) -> None:
    with pytest.raises(SandboxError):
        SandboxConfig(directory=tmp_path, **wrong)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False)],
)
def test_it_knows_whether_others_can_reach_it(
    tmp_path: Path, host: str, loopback: bool
) -> None:
    assert SandboxConfig(directory=tmp_path, host=host).is_loopback is loopback


@pytest.mark.parametrize(
    "wrong",
    [
        {"heartbeat_s": 0},
        {"job_min_s": 2.0, "job_max_s": 1.0},
        {"inventory_min_s": -1.0},
        {"history_lag_s": -1.0},
        {"job_retry_count": -1},
        {"noise_jobs_per_s": -1.0},
        {"noise_jobs_per_s": 10_001.0},
        {"return_limit_max": 0},
        {"token_lifetime_s": 0},
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SandboxError):
        Settings(**wrong)
