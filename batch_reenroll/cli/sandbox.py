"""``sandbox serve``: the embedded Command in a process of its own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from batch_reenroll.errors import UsageError


@click.group()
def sandbox() -> None:
    """The embedded Command: real keys and certificates, nothing else installed."""


class Range(click.ParamType[tuple[float, float]]):
    """``MIN-MAX`` seconds, or one number for both."""

    name = "min-max"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float]:
        """Return the two ends."""
        if isinstance(value, tuple):
            return value
        low, _, high = str(value).partition("-")
        try:
            found = float(low), float(high or low)
        except ValueError:
            self.fail(f"{value!r} is not MIN-MAX, such as 0.1-0.5")
        if not 0 <= found[0] <= found[1] <= 86_400:
            self.fail(f"{value!r}: expected 0 <= MIN <= MAX <= 86400")
        return found


@sandbox.command()
@click.option("--stores", default=200, show_default=True, help="Certificate stores.")
@click.option("--orchestrators", default=8, show_default=True)
@click.option(
    "--offline", default=0, show_default=True, help="That never ask for work."
)
@click.option("--seed", default=1, show_default=True, help="Same seed, same fleet.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=0, show_default=True, help="0 = any free one.")
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("sandbox-data"),
    show_default=True,
    help="Where stores, CA and log lie.",
)
@click.option("--heartbeat", default=2.0, show_default=True, help="Seconds.")
@click.option("--job-seconds", type=Range(), default=(0.05, 0.3), help="MIN-MAX.")
@click.option("--user", default="sandbox", show_default=True)
@click.option(
    "--password-env",
    metavar="NAME",
    help="Environment variable with the password [default: a random one, printed].",
)
@click.option(
    "--faults",
    type=click.Path(path_type=Path, dir_okay=False),
    help="JSON file of scripted misbehaviour.",
)
@click.option("--broken", default=0, show_default=True, help="Stores whose CA refuses.")
@click.option(
    "--unsupported", default=0, show_default=True, help="Stores of a type that cannot."
)
@click.option(
    "--iis", default=0, show_default=True, help="Stores whose alias is the thumbprint."
)
@click.option(
    "--store-types",
    type=click.Path(path_type=Path, dir_okay=False),
    help="JSON file of store types, as kfutil's store_types.json.",
)
@click.option(
    "--dialect",
    type=click.Choice(["10", "11", "24", "25"]),
    default="25",
    show_default=True,
    help="Version of Command to be like.",
)
@click.option(
    "--post-checks",
    type=click.Choice(["strict", "lax"]),
    default="strict",
    show_default=True,
    help="lax: what a POST asks in vain fails in the job.",
)
def serve(**values: Any) -> int:
    """Serve an embedded Command until Ctrl-C. Prints the exports a client needs."""
    # Imported here: the server is only loaded where it is used.
    from batch_reenroll.sandbox import SandboxError, serve_forever

    try:
        serve_forever(_config(values), click.echo)
    except SandboxError as exc:
        raise UsageError(str(exc), code="sandbox") from exc
    return 0


def _config(values: dict[str, Any]) -> Any:
    from batch_reenroll.sandbox import (
        FaultScript,
        FleetPlan,
        SandboxConfig,
        Settings,
        load_faults,
        load_store_types,
    )

    low, high = values["job_seconds"]
    faults: Path | None = values["faults"]
    store_types: Path | None = values["store_types"]
    return SandboxConfig(
        directory=values["directory"],
        plan=FleetPlan(
            stores=values["stores"],
            orchestrators=values["orchestrators"],
            offline=values["offline"],
            broken_stores=values["broken"],
            unsupported_stores=values["unsupported"],
            iis_stores=values["iis"],
            store_types=load_store_types(store_types) if store_types else (),
            seed=values["seed"],
        ),
        settings=Settings(
            heartbeat_s=values["heartbeat"],
            job_min_s=low,
            job_max_s=high,
            dialect=values["dialect"],
            post_checks=values["post_checks"],
        ),
        faults=load_faults(faults) if faults else FaultScript(),
        host=values["host"],
        port=values["port"],
        user=values["user"],
        password=_password(values["password_env"]),
    )


def _password(variable: str | None) -> str | None:
    if variable is None:
        return None
    password = os.environ.get(variable)
    if not password:
        message = f"--password-env {variable}: that variable is not set"
        raise UsageError(message)
    return password
