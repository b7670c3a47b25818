"""Who may enroll at the CA is found out in the job, never in the POST."""

from __future__ import annotations

import pytest
from sandbox.accounts import (
    NEEDED,
    account,
    enrolling_on,
    holding,
    row_in,
    signed_in,
    site,
)
from sandbox.rig import RESCHEDULE, Caller

from batch_reenroll.sandbox import CaPolicy, Core, Enrollment, Right
from batch_reenroll.sandbox.policy import NEW_CA, OLD_CA

ON_CA = "permissions on this certification authority"
ON_TEMPLATE = "permissions on the certificate template"


def ended(client: Caller, **changes: object) -> tuple[int, int, str]:
    """Reenroll one store; return the status of the POST, the result, the message."""
    status = client.reenroll(row_in(client.core, 1), **changes).status
    client.wait(10.0)
    (row,) = client.reenrollments()
    return status, row["Result"], row["Message"]


def enroller(
    held: Enrollment, *, policy: CaPolicy | None = None, **more: Enrollment
) -> Caller:
    user = account("user", holding(*NEEDED), enrollment=held)
    others = [account(name, holding(), enrollment=e) for name, e in more.items()]
    return signed_in(site(user, *others, policy=policy), "user")


def test_with_both_rights_the_certificate_is_issued() -> None:
    held = enrolling_on([NEW_CA.upper()], ["webserver"])
    assert ended(enroller(held)) == (204, 2, "")


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (enrolling_on([], None), ON_CA),
        (enrolling_on([OLD_CA], None), ON_CA),
        (enrolling_on(None, []), ON_TEMPLATE),
        (enrolling_on(None, ["WebServerRSA2048"]), ON_TEMPLATE),
    ],
)
def test_without_a_right_at_the_ca_the_post_passes_and_the_job_fails(
    held: Enrollment, words: str
) -> None:
    status, result, message = ended(enroller(held))
    assert (status, result) == (204, 4)
    assert words in message


@pytest.mark.parametrize(
    "changes",
    [
        {"CertificateAuthority": r"nowhere\No CA"},
        {"CertificateTemplate": "NoTemplate"},
        {"CertificateTemplate": "Broken"},
    ],
)
def test_a_wrong_ca_or_template_passes_and_the_job_fails(
    changes: dict[str, str],
) -> None:
    status, result, message = ended(enroller(Enrollment()), **changes)
    assert (status, result) == (204, 4)
    assert next(iter(changes.values())) in message


def test_the_account_configured_for_the_ca_counts_instead_of_the_user() -> None:
    policy = CaPolicy(accounts={NEW_CA.lower(): r"EXAMPLE\svc"})
    allowed, nothing = Enrollment(), enrolling_on([], [])
    client = enroller(nothing, policy=policy, svc=allowed)
    assert ended(client) == (204, 2, "")
    client = enroller(allowed, policy=policy, svc=nothing)
    assert ended(client)[:2] == (204, 4)


def test_the_account_of_one_ca_does_not_count_at_another() -> None:
    policy = CaPolicy(accounts={OLD_CA.lower(): "svc"})
    client = enroller(enrolling_on([], []), policy=policy, svc=Enrollment())
    assert ON_CA in ended(client)[2]


def test_whoever_sends_a_failed_job_again_must_be_allowed_to_enroll() -> None:
    core: Core = site(
        account("user", holding(*NEEDED), enrollment=enrolling_on([], [])),
        account("boss", holding(*Right)),
    )
    client, boss = signed_in(core, "user"), signed_in(core, "boss")
    ended(client)
    boss.now = client.now
    ids = [row["JobHistoryId"] for row in boss.reenrollments()]
    assert boss.post(RESCHEDULE, JobAuditIds=ids).status == 204
    boss.wait(10.0)
    assert sorted(row["Result"] for row in boss.reenrollments()) == [2, 4]


def test_an_account_that_is_gone_has_no_rights_at_the_ca() -> None:
    client = enroller(Enrollment())
    client.reenroll(row_in(client.core, 1))
    user = client.core.identities.named("user")
    assert user is not None
    client.core.identities.remove(user)
    other = signed_in(client.core)
    other.wait(10.0)
    (row,) = other.reenrollments()
    assert (row["Result"], ON_CA in row["Message"]) == (4, True)


def test_the_defaults_are_used_where_the_request_names_none() -> None:
    policy = CaPolicy(default_authority=OLD_CA, default_template="WebServerRSA2048")
    client = enroller(enrolling_on([OLD_CA], ["WebServerRSA2048"]), policy=policy)
    both = {"CertificateAuthority": None, "CertificateTemplate": None}
    assert ended(client, **both) == (204, 2, "")


def test_without_defaults_a_request_that_names_none_fails_in_the_job() -> None:
    policy = CaPolicy(default_authority="", default_template="")
    client = enroller(Enrollment(), policy=policy)
    status, result, message = ended(client, CertificateAuthority=None)
    assert (status, result) == (204, 4)
    assert "certificate authority ''" in message
