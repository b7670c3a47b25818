"""``config show``: where every connection setting comes from, without a secret."""

from __future__ import annotations

from typing import Any

import click

from batch_reenroll.cli.connection import required_connection
from batch_reenroll.cli.options import (
    connection_options,
    console_from,
    console_options,
)


@click.group()
def config() -> None:
    """Look at the connection settings."""


@config.command()
@click.option("--origin", is_flag=True, help="Say where each value comes from.")
@connection_options
@console_options
def show(origin: bool, **values: Any) -> int:
    """Print the settings that are in force. Secrets are never shown."""
    console = console_from(values)
    connection = required_connection(values)
    if console.as_json:
        console.json(
            {
                setting.name: {"value": setting.shown, "origin": setting.origin}
                if origin
                else setting.shown
                for setting in connection.origins
            }
        )
        return 0
    rows = [("base URL", connection.base_url, "")]
    rows += [
        (setting.name, setting.shown, setting.origin if origin else "")
        for setting in connection.origins
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(2)]
    for name, shown, source in rows:
        console.data(
            f"{name.ljust(widths[0])}  {shown.ljust(widths[1])}  {source}".rstrip()
        )
    return 0
