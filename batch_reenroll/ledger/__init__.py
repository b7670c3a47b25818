"""Durable truth: the database of campaigns and its journal."""

from batch_reenroll.ledger.group import CampaignLedger
from batch_reenroll.ledger.lock import campaign_lock, is_locked
from batch_reenroll.ledger.sqlite import SqliteLedger

__all__ = ["CampaignLedger", "SqliteLedger", "campaign_lock", "is_locked"]
