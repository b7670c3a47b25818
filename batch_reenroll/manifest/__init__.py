"""What the user asked for: read CSV and YAML, validate, normalise to rows.

Computes only: files come in through an opener, nothing is written, nothing asks
Command. Every fault is a :class:`~batch_reenroll.errors.Problem` with a code from
:data:`~batch_reenroll.manifest.rules.RULES`.
"""

from batch_reenroll.campaign.windows import Blackout, Window
from batch_reenroll.manifest.columns import COLUMNS, canonical
from batch_reenroll.manifest.header import Budget, CampaignBlock, Header, Pace
from batch_reenroll.manifest.manifest import Manifest
from batch_reenroll.manifest.opening import open_manifest, read_all
from batch_reenroll.manifest.rows import ManifestRow
from batch_reenroll.manifest.rules import RULES, Rule
from batch_reenroll.manifest.source import Opener, OutsideFolder

__all__ = [
    "COLUMNS",
    "RULES",
    "Blackout",
    "Budget",
    "CampaignBlock",
    "Header",
    "Manifest",
    "ManifestRow",
    "Opener",
    "OutsideFolder",
    "Pace",
    "Rule",
    "Window",
    "canonical",
    "open_manifest",
    "read_all",
]
