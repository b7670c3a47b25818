"""From the ledger to the files people read, and from a plan to its page.

``render`` and ``plan_page`` compute them, ``write_folder`` puts them on disk. Neither
pandas nor jinja2 is imported before a report is made.
"""

from batch_reenroll.report.audit import (
    AUDIT_COLUMNS,
    AuditLine,
    audit_csv,
    audit_page,
    audit_totals,
)
from batch_reenroll.report.facts import (
    RESULT_COLUMNS,
    CampaignFacts,
    ReportInput,
    RowFacts,
)
from batch_reenroll.report.folder import SIGNATURE_FILES, write_folder
from batch_reenroll.report.formats import Format
from batch_reenroll.report.plan_facts import PlanFacts
from batch_reenroll.report.plan_page import plan_page
from batch_reenroll.report.render import FILES, render
from batch_reenroll.report.sets import FAILURE, OUTCOMES, REMAINING, SUCCESS

__all__ = [
    "AUDIT_COLUMNS",
    "FAILURE",
    "FILES",
    "OUTCOMES",
    "REMAINING",
    "RESULT_COLUMNS",
    "SIGNATURE_FILES",
    "SUCCESS",
    "AuditLine",
    "CampaignFacts",
    "Format",
    "PlanFacts",
    "ReportInput",
    "RowFacts",
    "audit_csv",
    "audit_page",
    "audit_totals",
    "plan_page",
    "render",
    "write_folder",
]
