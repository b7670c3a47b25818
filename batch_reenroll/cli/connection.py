"""From flags, environment and profile file to a way to Command."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from batch_reenroll.cli.carry import Connect
from batch_reenroll.cli.console import Console
from batch_reenroll.cli.options import home_folder
from batch_reenroll.command import (
    Connection,
    Flags,
    connect,
    not_configured,
    read_config,
    resolve,
)


def connection_from(values: dict[str, Any]) -> Connection | None:
    """Take the connection flags out of ``values``; None where nothing is configured.

    Raises:
        UsageError: Something is configured, but wrongly.
    """
    config: Path | None = values.pop("config")
    flags = Flags(profile=values.pop("profile"), config=str(config) if config else None)
    file = read_config(os.environ, flags, home=home_folder())
    return resolve(os.environ, file, flags)


def required_connection(values: dict[str, Any]) -> Connection:
    """Return the connection; see :func:`connection_from`.

    Raises:
        UsageError: Nothing is configured, or wrongly.
    """
    connection = connection_from(values)
    if connection is None:
        raise not_configured()
    return connection


def way_to(connection: Connection, console: Console) -> Connect:
    """Return what opens a client for the connection."""
    return lambda: connect(connection, warn=console.warn)
