"""From the ledger to the files people read."""
