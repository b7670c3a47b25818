"""Single rungs of the ladder, and what a retry makes of a finding."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from unit.campaign.making import row_of as row

from batch_reenroll.campaign.certificate import CertificateFacts
from batch_reenroll.campaign.endpoint import Contact, Endpoint, Served
from batch_reenroll.campaign.levels import Evidence, Level, Why, assess, record
from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.nouns import InventoryCertificate
from batch_reenroll.campaign.proof import already_rotated
from batch_reenroll.campaign.reasons import Reason
from batch_reenroll.campaign.retry import retried
from batch_reenroll.report import verification as sheet

NOW = datetime(2026, 11, 24, tzinfo=UTC)
OLD = CertificateFacts(
    thumbprint="aa",
    sans=frozenset({"dns:a.example", "dns:b.example"}),
    ekus=frozenset({"1.3.6.1.5.5.7.3.1"}),
    key_type="RSA",
    key_bits=2048,
    key_id="k1",
    not_before=NOW - timedelta(days=90),
    not_after=NOW + timedelta(days=3),
)
NEW = replace(
    OLD,
    thumbprint="bb",
    key_id="k2",
    authority=r"ca01\Issuing",
    template="Web Server",
    not_before=NOW,
    not_after=NOW + timedelta(days=90),
)
REQUEST = replace(
    row().request,
    certificate_authority=r"CA01\issuing",
    certificate_template="WebServer",
)
GOOD = Evidence(
    request=REQUEST,
    before=OLD,
    after=NEW,
    thumbprint_before="aa",
    thumbprint_after="bb",
)


def test_a_good_rotation_lacks_nothing_but_an_endpoint() -> None:
    standing = assess(GOOD)
    assert (standing.level, standing.why) == (Level.EQUIVALENT, Why.NO_ENDPOINT)
    assert standing.finding is None


@pytest.mark.parametrize(
    ("change", "level", "why"),
    [
        ({"authority": "", "issuer_cn": "Issuing"}, 4, Why.NO_ENDPOINT),
        ({"authority": "", "issuer_cn": "R3"}, 2, Why.AUTHORITY_UNCONFIRMED),
        ({"template": "Other"}, 2, Why.TEMPLATE_UNCONFIRMED),
        ({"key_id": "k1"}, 2, Why.KEY_REUSED),
        ({"key_id": ""}, 2, Why.KEY_UNKNOWN),
        ({"not_after": OLD.not_after}, 2, Why.NOT_LATER),
        ({"not_before": OLD.not_before}, 2, Why.NOT_LATER),
        ({"ekus": frozenset()}, 3, Why.CERTIFICATE_DIFFERS),
        ({"key_type": "EC", "key_bits": 256}, 3, Why.CERTIFICATE_DIFFERS),
        ({"key_bits": 1024}, 3, Why.CERTIFICATE_DIFFERS),
        ({"key_bits": 4096}, 4, Why.NO_ENDPOINT),
        ({"sans": None}, 3, Why.CONTENTS_UNKNOWN),
        ({"sans": OLD.sans | {"dns:c.example"}}, 4, Why.NO_ENDPOINT),  # type: ignore[operator]
    ],
)
def test_what_is_not_as_intended_holds_a_row_and_fails_none(
    change: dict[str, object], level: int, why: Why
) -> None:
    standing = assess(replace(GOOD, after=replace(NEW, **change)))  # type: ignore[arg-type]
    assert (standing.level, standing.why, standing.finding) == (level, why, None)


def test_a_lost_name_is_a_finding_that_names_it() -> None:
    standing = assess(
        replace(GOOD, after=replace(NEW, sans=frozenset({"dns:a.example"})))
    )
    assert (standing.level, standing.finding) == (Level.INTENDED, Reason.SAN_LOST)
    assert "dns:b.example" in standing.message


def test_another_ca_is_a_finding_and_the_gravest() -> None:
    after = replace(NEW, authority=r"ca01\Elsewhere", sans=frozenset())
    standing = assess(replace(GOOD, after=after))
    assert (standing.level, standing.finding) == (
        Level.PRESENT,
        Reason.AUTHORITY_DIFFERS,
    )


def test_without_the_old_certificate_names_that_were_asked_for_still_count() -> None:
    request = replace(REQUEST, sans={"DNS": ["B.example."], "nobody-knows": ["x"]})
    for sans, finding in (
        ({"dns:b.example"}, None),
        ({"dns:a.example"}, Reason.SAN_LOST),
    ):
        after = replace(NEW, sans=frozenset(sans))
        standing = assess(replace(GOOD, request=request, before=None, after=after))
        assert standing.why is Why.OLD_CERTIFICATE_UNKNOWN
        assert standing.finding is finding


@pytest.mark.parametrize(
    ("served", "why", "finding"),
    [
        (None, Why.ENDPOINT_UNCHECKED, None),
        (Served(contact=Contact.SERVED, thumbprint="bb"), None, None),
        (
            Served(contact=Contact.SERVED, thumbprint="aa"),
            Why.ENDPOINT_SERVES_OLD,
            Reason.ENDPOINT_SERVES_OLD,
        ),
        (
            Served(contact=Contact.SERVED, thumbprint="cc"),
            Why.ENDPOINT_SERVES_OTHER,
            Reason.ENDPOINT_SERVES_OTHER,
        ),
        (Served(contact=Contact.REFUSED), Why.ENDPOINT_REFUSED, None),
        (Served(contact=Contact.TIMEOUT), Why.ENDPOINT_TIMEOUT, None),
    ],
)
def test_only_what_an_endpoint_shows_can_be_wrong(
    served: Served | None, why: Why | None, finding: Reason | None
) -> None:
    standing = assess(replace(GOOD, endpoint=True, served=served))
    assert (standing.why, standing.finding) == (why, finding)


def _warned(evidence: Evidence) -> dict[str, object]:
    return record(evidence, assess(evidence))


def test_a_retry_of_a_lost_name_replaces_the_wrong_certificate() -> None:
    wrong = replace(NEW, sans=frozenset({"dns:a.example"}))
    ended = replace(
        row(),
        state=State.WARNING,
        current_thumbprint="aa",
        thumbprint_before="aa",
        not_before_before=OLD.not_before,
        before={"web": "aa"},
        verification=_warned(replace(GOOD, after=wrong)),
    )
    decision = retried(ended)
    assert decision is not None
    assert decision.target is State.PENDING
    again = ended.moved(decision.move(ended, NOW))
    held = InventoryCertificate(
        alias=again.request.alias,
        thumbprint="bb",
        subject="",
        issuer="",
        serial="",
        not_before=NOW,
        not_after=None,
    )
    assert already_rotated(again, [held]) is None
    assert again.verification is not None
    assert CertificateFacts.from_json(again.verification["before"]) == OLD


def test_a_retry_of_an_endpoint_only_looks_again() -> None:
    old = Served(contact=Contact.SERVED, thumbprint="aa")
    ended = replace(
        row(),
        state=State.WARNING,
        thumbprint_before="aa",
        job_id="j1",
        verification=_warned(replace(GOOD, endpoint=True, served=old)),
    )
    decision = retried(ended)
    assert decision is not None
    assert decision.target is State.VERIFYING
    assert ended.moved(decision.move(ended, NOW)).job_id == "j1"


def test_a_warning_of_the_job_itself_is_sent_again_as_before() -> None:
    ended = replace(row(), state=State.WARNING, thumbprint_before="aa")
    decision = retried(ended)
    assert decision is not None
    assert decision.target is State.PENDING
    assert "thumbprint_before" not in decision.changes


def test_the_report_calls_the_levels_by_their_names() -> None:
    assert tuple(level.name.lower() for level in Level) == sheet.LEVEL_NAMES


@pytest.mark.parametrize(
    "text",
    [
        *("", "a", "a:", ":443", "a:0", "a:65536", "a b:1", "https://a:1/", "1.2.3:4"),
        *("[::1]", "::1:443", "[a]:1", "@a:1", "10.0.0.1@a:1", "a@b@c:1", "-a:1"),
    ],
)
def test_what_is_no_endpoint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Endpoint.parse(text)


def test_an_endpoint_may_say_which_name_to_ask_for() -> None:
    assert Endpoint.parse("www.example.com@[2001:DB8::1]:8443") == Endpoint(
        host="2001:db8::1", port=8443, name="www.example.com"
    )
