"""``sandbox serve``: the embedded Command in a process of its own."""

from __future__ import annotations

import json
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
    "--more-names",
    is_flag=True,
    help="Half of the certificates have a second name that is easily lost.",
)
@click.option(
    "--no-inventory",
    is_flag=True,
    help="No store has an inventory schedule, and none follows a job.",
)
@click.option(
    "--tls",
    default=0,
    show_default=True,
    help="Stores served over TLS on loopback; endpoints.csv in --dir says where.",
)
@click.option(
    "--tls-stale", default=0, show_default=True, help="Of them, never reloaded."
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
@click.option(
    "--auth",
    type=click.Choice(["basic", "oauth"]),
    default="basic",
    show_default=True,
    help="How the user that may do everything signs in.",
)
@click.option("--client-id", default="sandbox-client", show_default=True)
@click.option(
    "--client-secret-env",
    metavar="NAME",
    help="Environment variable with the client's secret [default: a random one].",
)
@click.option(
    "--scope", "scopes", multiple=True, help="That tokens may have [default: any]."
)
@click.option("--audience", default="", help="That tokens must have [default: any].")
@click.option(
    "--token-lifetime", default=3600, show_default=True, help="Seconds a token holds."
)
@click.option(
    "--identities",
    type=click.Path(path_type=Path, dir_okay=False),
    help="JSON file of further users and clients with rights of their own.",
)
@click.option(
    "--management-port",
    type=int,
    help="Port of the management API on 127.0.0.1; 0 = any free one [default: none].",
)
@click.option(
    "--management-key-env",
    metavar="NAME",
    help="Environment variable with its key [default: a random one, printed].",
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
        CaPolicy,
        FaultScript,
        FleetPlan,
        IdentityFile,
        SandboxConfig,
        Settings,
        load_faults,
        load_identities,
        load_store_types,
    )

    low, high = values["job_seconds"]
    faults: Path | None = values["faults"]
    store_types: Path | None = values["store_types"]
    identities: Path | None = values["identities"]
    known = load_identities(identities, os.environ) if identities else IdentityFile()
    return SandboxConfig(
        directory=values["directory"],
        plan=FleetPlan(
            stores=values["stores"],
            orchestrators=values["orchestrators"],
            offline=values["offline"],
            broken_stores=values["broken"],
            unsupported_stores=values["unsupported"],
            iis_stores=values["iis"],
            more_names=values["more_names"],
            store_types=load_store_types(store_types) if store_types else (),
            seed=values["seed"],
        ),
        settings=Settings(
            heartbeat_s=values["heartbeat"],
            job_min_s=low,
            job_max_s=high,
            dialect=values["dialect"],
            post_checks=values["post_checks"],
            token_lifetime_s=values["token_lifetime"],
            nightly_inventory=not values["no_inventory"],
            inventory_follows=not values["no_inventory"],
        ),
        policy=CaPolicy(accounts=known.ca_accounts),
        faults=load_faults(faults) if faults else FaultScript(),
        tls_services=values["tls"],
        tls_stale=values["tls_stale"],
        host=values["host"],
        port=values["port"],
        user=values["user"],
        password=_secret(values, "password_env"),
        auth=values["auth"],
        client_id=values["client_id"],
        client_secret=_secret(values, "client_secret_env"),
        scopes=values["scopes"],
        audience=values["audience"],
        identities=known.identities,
        management_port=values["management_port"],
        management_key=_secret(values, "management_key_env"),
    )


def _secret(values: dict[str, Any], name: str) -> str | None:
    """Return what the variable holds that the flag ``name`` names, or None."""
    variable: str | None = values[name]
    if variable is None:
        return None
    secret = os.environ.get(variable)
    if not secret:
        flag = name.replace("_", "-")
        raise UsageError(f"--{flag} {variable}: that variable is not set")
    return secret


@sandbox.command()
@click.option(
    "--dialect",
    type=click.Choice(("10", "11", "24", "25")),
    default="25",
    show_default=True,
    help="Major version of Command.",
)
def openapi(dialect: str) -> int:
    """Print the OpenAPI description of what the embedded Command serves."""
    from batch_reenroll.sandbox import Settings, openapi_document

    document = openapi_document(Settings(dialect=dialect))
    click.echo(json.dumps(document, indent=2))
    return 0
