"""Which jobs could be of a store, by the words that Command has for them (pure)."""

from __future__ import annotations

import re
from functools import lru_cache

from batch_reenroll.campaign.ends import Place
from batch_reenroll.campaign.nouns import JobRecord, ScheduledJob
from batch_reenroll.campaign.rows import Row

_KIND = "reenrollment"
_TAIL = re.compile(r"[\w.-]*\Z")

#: End of a waiting job's target, and machine: what it is found by. Where every store
#: has the same path, as on IIS, the machine keeps a look from comparing all with all.
Corner = tuple[str, str]


def place_of(client_machine: str, store_path: str) -> Place:
    """Return the key under which one store's jobs are found, letter case aside."""
    return client_machine.casefold(), store_path.casefold()


def kind_fits(job_type: str, capability: str) -> bool:
    """Return whether ``job_type`` is a reenrollment of this capability.

    Command sends ``WinCertReenrollment`` where the documents say ``Reenrollment``
    (keyfactor-command.md 2.4); either fits.
    """
    kind = job_type.casefold()
    if not capability:
        return _KIND in kind
    return kind in (_KIND, capability.casefold() + _KIND)


def target_fits(target: str, store_path: str) -> bool:
    """Return whether a ScheduledJobs target names this store path.

    The format is not confirmed (keyfactor-command.md 3.1): the path alone, or ending
    with the path after a character that cannot be part of a longer name.
    """
    text, path = target.casefold(), store_path.casefold()
    if not path or not text.endswith(path):
        return False
    head = text[: -len(path)]
    return not head or not (head[-1].isalnum() or head[-1] in "_-./\\")


def _tail(text: str) -> str:
    match = _TAIL.search(text.casefold())
    return match.group() if match else ""


def corner_of(job: ScheduledJob) -> Corner:
    """Return the key under which a waiting job is found."""
    return _tail(job.target), job.client_machine.casefold()


def corners_of(row: Row) -> frozenset[Corner]:
    """Return the keys under which a row's job may wait; see :func:`scheduled_fits`."""
    return _corners(row.store_path, row.orchestrator, row.client_machine)


# A row asks several times in the moment it is sent, and never again before it is.
@lru_cache(maxsize=1024)
def _corners(path: str, orchestrator: str, machine: str) -> frozenset[Corner]:
    tail = _tail(path)
    machines = (orchestrator.casefold(), machine.casefold(), "")
    return frozenset((tail, machine) for machine in machines)


def scheduled_fits(job: ScheduledJob, row: Row) -> bool:
    """Return whether a waiting job could be of the row's store.

    ``ClientMachine`` is taken for the orchestrator's or the store's machine: which of
    the two it is, is not confirmed (keyfactor-command.md 3.1).
    """
    machines = {row.orchestrator.casefold(), row.client_machine.casefold()}
    return (
        kind_fits(job.job_type, row.capability)
        and (not job.client_machine or job.client_machine.casefold() in machines)
        and target_fits(job.target, row.store_path)
    )


def record_fits(record: JobRecord, row: Row) -> bool:
    """Return whether a row of JobHistory is of the row's store."""
    same_agent = (
        not record.agent_machine
        or not row.orchestrator
        or record.agent_machine.casefold() == row.orchestrator.casefold()
    )
    return (
        same_agent
        and kind_fits(record.job_type, row.capability)
        and place_of(record.client_machine, record.store_path)
        == place_of(row.client_machine, row.store_path)
    )
