"""From the ledger to the files people read.

``render`` computes them, ``write_folder`` puts them on disk. Neither pandas nor jinja2
is imported before a report is made.
"""

from batch_reenroll.report.facts import (
    RESULT_COLUMNS,
    CampaignFacts,
    ReportInput,
    RowFacts,
)
from batch_reenroll.report.folder import write_folder
from batch_reenroll.report.render import FILES, render
from batch_reenroll.report.sets import FAILURE, OUTCOMES, REMAINING, SUCCESS

__all__ = [
    "FAILURE",
    "FILES",
    "OUTCOMES",
    "REMAINING",
    "RESULT_COLUMNS",
    "SUCCESS",
    "CampaignFacts",
    "ReportInput",
    "RowFacts",
    "render",
    "write_folder",
]
