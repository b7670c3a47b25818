"""From the ledger to the files people read, and from a plan to its page.

``render`` and ``plan_page`` compute them, ``write_folder`` puts them on disk. Neither
pandas nor jinja2 is imported before a report is made.
"""

from batch_reenroll.report.facts import (
    RESULT_COLUMNS,
    CampaignFacts,
    ReportInput,
    RowFacts,
)
from batch_reenroll.report.folder import write_folder
from batch_reenroll.report.plan_facts import PlanFacts
from batch_reenroll.report.plan_page import plan_page
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
    "PlanFacts",
    "ReportInput",
    "RowFacts",
    "plan_page",
    "render",
    "write_folder",
]
