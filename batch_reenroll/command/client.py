"""Keyfactor Command as the runner knows it: the ``Command`` port of the runner.

Nothing is retried here but a request that was answered 401, once, when the token
could be refreshed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from urllib.parse import quote

from batch_reenroll.campaign.certificate import CertificateFacts
from batch_reenroll.campaign.nouns import (
    InventoryCertificate,
    JobRecord,
    Orchestrator,
    Page,
    ReenrollmentRequest,
    ScheduledJob,
    Store,
    StoreType,
)
from batch_reenroll.campaign.permissions import Permissions
from batch_reenroll.campaign.preflight import Enrollment
from batch_reenroll.command import decode
from batch_reenroll.command.answer import Answer
from batch_reenroll.command.auth import Authenticator
from batch_reenroll.command.certificates import read_certificates
from batch_reenroll.command.dialect import Endpoint, Family, shown_version
from batch_reenroll.command.enrollment import read_enrollment
from batch_reenroll.command.exchange import Exchange, Seen
from batch_reenroll.command.history import HistorySweep, is_descending
from batch_reenroll.command.listing import Listing, Lists, keep_wanted, read_all
from batch_reenroll.command.permissions import read_permissions
from batch_reenroll.command.query import all_of, any_of, condition
from batch_reenroll.command.refusal import Right, told_by
from batch_reenroll.command.secret import Redactor
from batch_reenroll.command.transport import Transport
from batch_reenroll.command.wire import parse_json, violation
from batch_reenroll.errors import ContractViolation

_REENROLLMENT = 'JobType -contains "Reenrollment"'

# Pages of a whole list: Keyfactor's scripts use 1000 and more (keyfactor-command.md
# 2.1); a store's inventory is short, and the default page is 50.
_LIST_LIMIT = 500
_INVENTORY_LIMIT = 100


class CommandClient:
    """One Keyfactor Command. Any number of calls may run at the same time."""

    def __init__(
        self,
        transport: Transport,
        auth: Authenticator,
        *,
        now_utc: Callable[[], datetime],
        redactor: Redactor | None = None,
        dialect: Family | None = None,
        job_properties_as_array: bool = False,
    ) -> None:
        """Put a client together; nothing is sent.

        Args:
            transport: Carries requests.
            auth: Says who we are.
            now_utc: Our clock, for ``Retry-After`` dates of servers without ``Date``.
            redactor: Knows the secrets to take out of Command's texts.
            dialect: Family of query names, or None to find out.
            job_properties_as_array: See :func:`decode.reenrollment_body`.
        """
        self._redactor = redactor or Redactor()
        self._exchange = Exchange(
            transport,
            auth,
            redactor=self._redactor,
            now_utc=now_utc,
            observe=self._learn,
        )
        self._lists = Lists(self._exchange, family=dialect, redactor=self._redactor)
        self._as_array = job_properties_as_array
        self._version = ""

    @property
    def requests(self) -> Mapping[str, int]:
        """Return requests sent so far by kind, the five of ``summary.json``."""
        return self._exchange.requests

    def watch(self, watch: Callable[[Seen], None]) -> None:
        """Have ``watch`` told of every request; it returns at once, never raises."""
        self._exchange.watch(watch)

    @property
    def family(self) -> Family | None:
        """Return the family of query names in use, None before any answer."""
        return self._lists.family

    @property
    def version(self) -> str:
        """Return the product version that the answers so far showed, else ""."""
        return self._version

    async def product_version(self) -> str:
        """Return Command's product version (``25.4.1+…``), "" where it shows none.

        Asks ``GET /Status/Endpoints``, the cheapest check that Command is there and
        accepts us.

        Raises:
            CommandError: It is not, or does not.
        """
        return await self._lists.probe()

    async def ready(self) -> None:
        """Make sure that a request could leave at once. See the port for errors."""
        await self._exchange.ready()

    async def submit(self, request: ReenrollmentRequest) -> int:
        """POST one reenrollment; return the 2xx status. See the port for errors."""
        body = decode.reenrollment_body(request, properties_as_array=self._as_array)
        answer = await self._exchange.post_once(
            "/CertificateStores/Reenrollment",
            body,
            kind="submit",
            right=Right.REENROLL,
        )
        return answer.status

    async def unschedule(self, job_ids: Sequence[str]) -> None:
        """Take jobs back that no orchestrator has begun. See the port for errors."""
        await self._exchange.post(
            "/OrchestratorJobs/Unschedule",
            {"JobIds": list(job_ids)},
            kind="other",
            right=Right.UNSCHEDULE,
        )

    async def scheduled_jobs(
        self, *, page: int, limit: int, agent_id: str | None = None
    ) -> Page[ScheduledJob]:
        """Return one page of reenrollment jobs not yet taken, all or one agent's."""
        listing = Listing(
            endpoint=Endpoint.JOBS,
            path="/OrchestratorJobs/ScheduledJobs",
            kind="scheduled_jobs",
            right=Right.READ_AGENTS_AND_JOBS,
            decode=decode.scheduled_job,
            query=all_of([_REENROLLMENT, _of_agent(agent_id)]),
            wanted=lambda job: _is_reenrollment(job.job_type),
        )
        found = await self._lists.page(listing, page=page, limit=limit)
        return keep_wanted(listing, found)

    def job_history(
        self,
        *,
        limit: int,
        above: int | None = None,
        agent_id: str | None = None,
        job_ids: Sequence[str] = (),
    ) -> HistorySweep:
        """Return a read of reenrollment history that misses no row; see the port.

        Raises:
            ValueError: By ``read``: more job ids than one query holds.
        """
        ids = {job_id.lower() for job_id in job_ids}
        by_id = any_of(condition("JobId", "eq", job_id) for job_id in sorted(ids))
        listing = Listing(
            endpoint=Endpoint.JOBS,
            path="/OrchestratorJobs/JobHistory",
            kind="job_history",
            right=Right.READ_AGENTS_AND_JOBS,
            decode=self._job_record,
            query=all_of([_REENROLLMENT, _of_agent(agent_id), by_id]),
            sort_field="JobHistoryId",
            wanted=partial(_is_wanted_record, ids=ids),
            in_order=is_descending,
        )
        return HistorySweep(self._lists, listing, limit=limit, above=above)

    async def inventory(self, store_id: str) -> Sequence[InventoryCertificate]:
        """Return the leaves of one store's inventory as Command last knew it."""
        listing = Listing(
            endpoint=Endpoint.INVENTORY,
            path=f"/CertificateStores/{_segment(store_id)}/Inventory",
            kind="inventory",
            right=Right.READ_STORES,
            decode=decode.inventory_entry,
        )
        entries = await read_all(
            self._lists, listing, decode.entry_key, limit=_INVENTORY_LIMIT
        )
        return tuple(entry.leaf for entry in entries if entry.leaf is not None)

    async def certificates(
        self, thumbprints: Sequence[str]
    ) -> Sequence[CertificateFacts]:
        """Return what Command knows of certificates, in one request. See the port."""
        return await read_certificates(self._lists, thumbprints)

    async def store(self, store_id: str) -> Store | None:
        """Return one store, or None where Command knows none by that id.

        A 404 by a web page is not Command's: it is an error, and hints at the path.
        """
        path = f"/CertificateStores/{_segment(store_id)}"
        answer = await self._exchange.send("GET", path, kind="other")
        if answer.status == 404 and not told_by(answer, self._redactor).html:
            return None
        self._exchange.checked(answer, what=f"GET {path}", right=Right.READ_STORES)
        raw = parse_json(answer, self._redactor)
        # Where one object is asked for by name, 25.4.1 sends a list of one
        # (keyfactor-command.md 4.3); by id that was not seen, but would be no surprise.
        if isinstance(raw, list) and len(raw) == 1:
            raw = raw[0]
        try:
            return self._store(raw)
        except ContractViolation as exc:
            raise violation(answer, self._redactor, exc.message) from exc

    async def stores(self, *, page: int, limit: int, query: str = "") -> Page[Store]:
        """Return one page of certificate stores.

        Args:
            page: 1-based.
            limit: Rows wanted, >= 1; the server may cap it.
            query: In Command's query language; empty = all.
        """
        listing = Listing(
            endpoint=Endpoint.STORES,
            path="/CertificateStores",
            kind="other",
            right=Right.READ_STORES,
            decode=self._store,
            query=query,
        )
        return await self._lists.page(listing, page=page, limit=limit)

    async def store_types(self) -> Sequence[StoreType]:
        """Return all store types."""
        listing = Listing(
            endpoint=Endpoint.STORE_TYPES,
            path="/CertificateStoreTypes",
            kind="other",
            right=Right.READ_STORE_TYPES,
            decode=decode.store_type,
        )
        return await read_all(
            self._lists, listing, lambda kind: kind.store_type, limit=_LIST_LIMIT
        )

    async def orchestrators(self, *, page: int, limit: int) -> Page[Orchestrator]:
        """Return one page of orchestrators."""
        listing = Listing(
            endpoint=Endpoint.AGENTS,
            path="/Agents",
            kind="other",
            right=Right.READ_AGENTS_AND_JOBS,
            decode=decode.orchestrator,
        )
        return await self._lists.page(listing, page=page, limit=limit)

    async def enrollment(self) -> Enrollment:
        """Return the CAs and templates that the account may see. See the port."""
        return await read_enrollment(self._lists)

    async def permissions(self) -> Permissions:
        """Return what the account may do everywhere. See the port."""
        return await read_permissions(self._exchange, self._redactor)

    def _learn(self, answer: Answer) -> None:
        self._lists.learn(answer)
        # A proxy's own answers show none.
        self._version = shown_version(answer.headers) or self._version

    def _job_record(self, raw: object) -> JobRecord:
        record = decode.job_record(raw)
        return replace(record, message=self._redactor.clean(record.message))

    def _store(self, raw: object) -> Store:
        store = decode.store(raw)
        told = self._redactor.clean(store.reenrollment_message)
        return replace(store, reenrollment_message=told)


def _of_agent(agent_id: str | None) -> str:
    return "" if agent_id is None else condition("AgentId", "eq", agent_id)


def _is_reenrollment(job_type: str) -> bool:
    # "WinCertReenrollment": the capability stands in front (2.4). An empty type says
    # nothing, and leaving the row out could hide a job of ours.
    return not job_type or "reenrollment" in job_type.lower()


def _is_wanted_record(record: JobRecord, *, ids: set[str]) -> bool:
    return _is_reenrollment(record.job_type) and (not ids or record.job_id in ids)


def _segment(text: str) -> str:
    return quote(text, safe="", errors="replace")
