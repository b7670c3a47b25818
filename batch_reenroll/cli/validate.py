"""``validate``: schema and meaning of a manifest, offline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from batch_reenroll.cli.files import validated
from batch_reenroll.cli.options import console_from, console_options


@click.command()
@click.argument("manifest", type=click.Path(path_type=Path))
@console_options
def validate(manifest: Path, **values: Any) -> int:
    """Check MANIFEST (CSV or YAML) without asking Command anything.

    Every problem is reported. Exit 0 when there is none, 3 otherwise.
    """
    console = console_from(values)
    found = validated(manifest)
    if console.as_json:
        console.json(
            {
                "ok": True,
                "rows": found.n_rows,
                "manifest_sha256": found.sha256,
                "problems": [],
            }
        )
    else:
        rows = "1 row" if found.n_rows == 1 else f"{found.n_rows} rows"
        console.data(f"{found.name}: {rows}, no problems")
    return 0
