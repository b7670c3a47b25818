"""``report``: reads the ledger and never asks Command."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any

import click

from batch_reenroll.cli.audit import Span, audit
from batch_reenroll.cli.files import ledger_path
from batch_reenroll.cli.options import (
    Formats,
    Moment,
    console_from,
    console_options,
    ledger_option,
    reports_option,
)
from batch_reenroll.cli.reporting import write_report
from batch_reenroll.cli.signing import sign_options, signer_of
from batch_reenroll.cli.standing import resume_command
from batch_reenroll.errors import UsageError
from batch_reenroll.ledger import SqliteLedger


@click.command()
@click.argument("campaign_id", metavar="CAMPAIGN|--all", required=False)
@click.option("--all", "of_all", is_flag=True, help="All campaigns on one sheet.")
@click.option(
    "--since", type=Moment(), metavar="DATE", help="With --all: made then or later."
)
@click.option(
    "--until", type=Moment(), metavar="DATE", help="With --all: made before then."
)
@click.option(
    "--output-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="With --all: to a .csv or .html file [default: CSV to stdout].",
)
@click.option(
    "--format",
    "formats",
    type=Formats(),
    multiple=True,
    metavar="FORMAT",
    help="Write the results as parquet or xlsx, too; a list, or repeated.",
)
@sign_options
@ledger_option
@reports_option
@console_options
def report(campaign_id: str | None, reports: Path, **values: Any) -> int:
    """Write the report folder of CAMPAIGN again from the ledger.

    With --all, one sheet of all campaigns instead: counts, durations, failures,
    certificates rotated.
    """
    console = console_from(values)
    span = Span(since=values["since"], until=values["until"])
    formats = tuple(dict.fromkeys(chain.from_iterable(values["formats"])))
    if values["of_all"]:
        if campaign_id is not None:
            raise UsageError("--all takes no CAMPAIGN")
        if formats:
            raise UsageError("--format goes with a CAMPAIGN, not with --all")
        return audit(values["ledger"], span, values["output_file"], console)
    if campaign_id is None:
        hint = "batch-reenroll status shows the newest; --all takes all of them"
        raise UsageError("which CAMPAIGN?", hint=hint)
    if span != Span() or values["output_file"] is not None:
        raise UsageError("--since, --until and --output-file go with --all")
    signer = signer_of(values)
    with SqliteLedger(ledger_path(values["ledger"]), create=False) as ledger:
        resume = resume_command(campaign_id, values["ledger"])
        folder = write_report(
            ledger,
            campaign_id,
            reports,
            resume=resume,
            console=console,
            formats=formats,
            signer=signer,
        )
        if console.as_json:
            console.json({"report": str(folder)})
        else:
            console.data(str(folder / "report.html"))
    return 0
