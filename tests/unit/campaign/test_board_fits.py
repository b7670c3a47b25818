"""Which jobs could be of a store: kinds, targets and places as Command writes them."""

from __future__ import annotations

import pytest
from unit.campaign.making import row_of, tried, waiting

from batch_reenroll.campaign.board import JobBoard
from batch_reenroll.campaign.matching import (
    kind_fits,
    record_fits,
    scheduled_fits,
    target_fits,
)
from batch_reenroll.campaign.nouns import JobRecord

ROW = row_of()


class TestKind:
    @pytest.mark.parametrize(
        ("job_type", "capability", "fits"),
        [
            ("WinCertReenrollment", "WinCert", True),
            ("wincertreenrollment", "WINCERT", True),
            ("Reenrollment", "WinCert", True),
            ("Reenrollment", "", True),
            ("WinCertReenrollment", "", True),
            ("IISUReenrollment", "WinCert", False),
            ("WinCertInventory", "WinCert", False),
            ("WinCertManagement", "", False),
            ("NotWinCertReenrollment", "WinCert", False),
            ("WinCertReenrollmentX", "WinCert", False),
            ("", "", False),
            ("", "WinCert", False),
        ],
    )
    def test_which_job_types_are_a_reenrollment_of_a_capability(
        self, job_type: str, capability: str, fits: bool
    ) -> None:
        assert kind_fits(job_type, capability) is fits


TARGETS = [
    ("My", "My", True),
    ("MY", "my", True),
    ("web1 - My", "My", True),
    ("web1: My", "My", True),
    ("web1 - /opt/certs/web.pem", "/opt/certs/web.pem", True),
    ("web1:/opt/certs/web.pem", "/opt/certs/web.pem", True),
    ("web1 - Remote Desktop", "Remote Desktop", True),
    ("web1 - /", "/", True),
    ("Tommy", "My", False),
    ("web1 - Tommy", "My", False),
    ("web1\\My", "My", False),
    ("CurrentUser.My", "My", False),
    ("old_My", "My", False),
    ("/srv/opt/certs/web.pem", "/opt/certs/web.pem", False),
    ("/opt/certs/web.pem", "web.pem", False),
    ("My", "web1 - My", False),
    ("My - web1", "My", False),
    ("", "My", False),
    ("anything", "", False),
    ("", "", False),
]


class TestTarget:
    @pytest.mark.parametrize(("target", "path", "fits"), TARGETS)
    def test_which_targets_name_a_store_path(
        self, target: str, path: str, fits: bool
    ) -> None:
        assert target_fits(target, path) is fits

    @pytest.mark.parametrize(
        ("target", "path"),
        [("non-prod/tls", "prod/tls"), ("Web-My", "My")],
    )
    def test_a_character_of_a_longer_name_does_not_begin_a_path(
        self, target: str, path: str
    ) -> None:
        assert not target_fits(target, path)

    @pytest.mark.parametrize(
        ("target", "path"),
        [(target, path) for target, path, fits in TARGETS if fits],
    )
    def test_a_waiting_job_is_found_by_every_target_that_fits(
        self, target: str, path: str
    ) -> None:
        board = JobBoard()
        board.see_scheduled([waiting("j", target=target)], 1.0)
        assert board.jobs_at(row_of(store_path=path)) == {"j"}


class TestScheduledFits:
    @pytest.mark.parametrize("machine", ["orch1", "ORCH1", "web1", ""])
    def test_the_machine_may_be_the_orchestrators_or_the_stores(
        self, machine: str
    ) -> None:
        assert scheduled_fits(waiting("j", client_machine=machine), ROW)

    def test_a_job_of_another_machine_does_not_fit(self) -> None:
        assert not scheduled_fits(waiting("j", client_machine="orch2"), ROW)

    def test_a_job_of_another_kind_does_not_fit(self) -> None:
        assert not scheduled_fits(waiting("j", job_type="WinCertInventory"), ROW)

    def test_a_job_of_another_store_type_does_not_fit(self) -> None:
        assert not scheduled_fits(waiting("j", job_type="IISUReenrollment"), ROW)


class TestRecordFits:
    @pytest.mark.parametrize("agent", ["orch1", "ORCH1", ""])
    def test_the_orchestrator_is_named_in_any_case_or_not_at_all(
        self, agent: str
    ) -> None:
        assert record_fits(tried(1, "j", agent_machine=agent), ROW)

    def test_any_orchestrator_fits_a_row_that_does_not_know_its_own(self) -> None:
        assert record_fits(tried(1, "j", agent_machine="x"), row_of(orchestrator=""))

    @pytest.mark.parametrize(
        "record",
        [
            tried(1, "j", agent_machine="orch2"),
            tried(1, "j", client_machine="web2"),
            tried(1, "j", client_machine="orch1"),
            tried(1, "j", store_path="WebHosting"),
            tried(1, "j", store_path="web1 - My"),
            tried(1, "j", job_type="WinCertInventory"),
            tried(1, "j", job_type="IISUReenrollment"),
        ],
        ids=["agent", "machine", "agent as machine", "path", "suffix", "kind", "type"],
    )
    def test_anything_else_that_differs_makes_it_another_stores(
        self, record: JobRecord
    ) -> None:
        assert not record_fits(record, ROW)
