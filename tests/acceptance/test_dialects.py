"""Whole campaigns against every version of Command, with every way of signing in.

Each is carried out by an account that holds exactly the rights a campaign needs: what
happens when it lacks one of them stands in ``test_rights``.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from acceptance.accounts import BOX, IIS, STORE_TYPES, Site, site
from acceptance.paper import Report, report_of, write_manifest
from acceptance.served import Row, thumbprint
from acceptance.signing import (
    AUDIENCE,
    LONG_S,
    SECRET,
    TOKEN_S,
    SignIn,
    Way,
    exact_accounts,
    signing_in,
)
from acceptance.terminal import Done, Terminal, finished, until
from cryptography.x509.oid import NameOID

#: Times fit for orchestrators that ask for work ten times a second.
_QUICK = (
    *("--poll-interval=0.1", "--rate=100", "--per-orchestrator=8"),
    *("--settle-time=0.3", "--verify-timeout=20"),
)
#: Nothing ends before the settle time, so a campaign with this one outlives a token.
_OUTLIVING = "--settle-time=2.3"

_COUNTS = dict.fromkeys(STORE_TYPES, 1) | {"PEM": 2, IIS: 2}

_SUBMISSION = "/KeyfactorAPI/CertificateStores/Reenrollment"


# -- whole campaigns -----------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """A campaign that is over.

    Attributes:
        before: Thumbprint that each store's file held, by store.
        done: The run.
        report: Its report, as the verb ``report`` has written it once more.
        first: results.csv as the run itself wrote it.
        requests: Every request of the campaign, as Command logged it.
    """

    place: Site
    way: Way
    sign_in: SignIn
    before: Mapping[str, str]
    done: Done
    report: Report
    first: str
    requests: list[dict[str, Any]]
    log_before: int


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Site]]:
    """One served Command of each version, started when it is first asked for."""
    with ExitStack() as stack:
        found: dict[str, Site] = {}

        def serving(dialect: str) -> Site:
            if dialect not in found:
                folder = tmp_path_factory.mktemp("sites") / dialect
                stores, iis = (70, 10) if dialect in ("10", "25") else (30, 4)
                found[dialect] = stack.enter_context(
                    site(
                        folder, dialect, exact_accounts(dialect), stores=stores, iis=iis
                    )
                )
                found[dialect].tokens_hold(TOKEN_S)
            return found[dialect]

        yield serving


#: Every way with the newest; with the oldest both forms of Basic are one on the wire.
_CASES = [
    *(("25", way) for way in Way),
    *(("10", way) for way in Way if way is not Way.PRINCIPAL),
    *(("11", way) for way in (Way.CLIENT, Way.CERTIFICATE)),
    *(("24", way) for way in (Way.PRINCIPAL, Way.TOKEN)),
]


@pytest.fixture(scope="module", params=_CASES, ids=lambda case: "-".join(case))
def campaign(
    request: pytest.FixtureRequest,
    sites: Callable[[str], Site],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Campaign]:
    """A campaign from ``discover`` to ``report``, for each version and sign-in."""
    dialect, way = request.param
    place, folder = sites(dialect), tmp_path_factory.mktemp("campaign")
    papers = tmp_path_factory.mktemp("papers")
    with signing_in(way, place, papers) as sign_in:
        yield _carried_out(place, way, sign_in, folder, papers)


def _carried_out(
    place: Site, way: Way, sign_in: SignIn, folder: Path, papers: Path
) -> Campaign:
    terminal = Terminal(folder=folder, env=sign_in.env)
    chosen = place.stores(_COUNTS)
    before = {store: place.served.thumbprint(store) for store in chosen}
    others = place.others(papers / "others.csv", chosen)
    since = len(place.served.events())
    found = ("discover", "-o", "found.csv", "--exclude", others, "--rate=500")
    terminal.run(*found).expect(0)
    _completed(folder / "found.csv", folder / "stores.csv")
    terminal.run("plan", "stores.csv", "-o", "plan.json").expect(0)
    more = [_OUTLIVING] if way is Way.CLIENT else []
    # All that a log could ever say: whatever a secret could slip into.
    more += ["--log-format=json", "--log-level=debug"]
    run = ("run", "plan.json", "--yes", "--campaign=c", *_QUICK, *more)
    done = terminal.run(*run)
    report = Report(folder=folder / "reports" / "c")
    first = report.text("results.csv") if done.code == 0 else ""
    terminal.run("report", "c").expect(0)
    return Campaign(
        place=place,
        way=way,
        sign_in=sign_in,
        before=before,
        done=done,
        report=report,
        first=first,
        requests=place.requests(since),
        log_before=since,
    )


def _completed(found: Path, manifest: Path) -> list[Row]:
    """Write the manifest with what no inventory knows; return its rows."""
    with found.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for number, row in enumerate(rows, 1):
        row["RowId"] = f"r{number}"
        if row["x-store-type"] == BOX:
            known = json.loads(row["JobProperties"])
            row["JobProperties"] = json.dumps(known | {"Mode": "graceful"})
    write_manifest(manifest, rows)
    return rows


def test_every_row_is_verified(campaign: Campaign) -> None:
    campaign.done.expect(0)
    assert campaign.report.outcomes == {"verified": sum(_COUNTS.values())}
    types = Counter(line["store_type"] for line in campaign.report.results)
    assert types == _COUNTS


def test_the_store_files_hold_new_certificates_of_the_new_ca(
    campaign: Campaign,
) -> None:
    served = campaign.place.served
    for line in campaign.report.results:
        key, leaf = served.on_disk(line["KeystoreId"])
        assert key.public_key() == leaf.public_key()
        held = campaign.before[line["KeystoreId"]]
        assert line["thumbprint_before"].lower() == held
        assert line["thumbprint_after"].lower() == thumbprint(leaf) != held
        (issuer,) = leaf.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)
        assert issuer.value == "Corp Issuing CA 2"
    assert len(campaign.report.results) == len(campaign.before)


def test_a_thumbprint_that_is_the_alias_is_followed_to_its_successor(
    campaign: Campaign,
) -> None:
    lines = [ln for ln in campaign.report.results if ln["store_type"] == IIS]
    assert len(lines) == _COUNTS[IIS]
    for line in lines:
        assert line["Alias"].lower() == line["thumbprint_before"].lower()
        assert line["alias_after"].lower() == line["thumbprint_after"].lower()
        assert line["alias_after"] != line["Alias"]


def test_required_entry_parameters_reach_the_store(campaign: Campaign) -> None:
    held = {}
    for line in campaign.report.results:
        (entry,) = campaign.place.inventory(line["KeystoreId"])
        held[line["store_type"]] = entry["Parameters"]
    assert held[BOX] == {"Slot": "A1", "Mode": "graceful"}
    assert held[IIS]["SiteName"] == "Default Web Site"


def test_each_store_was_given_one_job_by_the_account_that_signed_in(
    campaign: Campaign,
) -> None:
    served, stores = campaign.place.served, campaign.before
    served.assert_one_job_each([{"KeystoreId": store} for store in stores])
    by = campaign.place.scheduled_by(stores, campaign.log_before)
    assert by == {campaign.sign_in.by}


def test_nothing_was_refused_that_a_campaign_needs(campaign: Campaign) -> None:
    # A token may end on its way; what a plan or a proof may look at, but need not, is
    # not given.
    taken = {200, 204} | ({401} if campaign.way is Way.CLIENT else set())
    refused = {r["path"] for r in campaign.requests if r["status"] not in taken}
    optional = ("CertificateAuthority", "Templates", "Certificates")
    assert refused <= {f"/KeyfactorAPI/{name}" for name in optional}


def test_the_report_says_the_same_when_it_is_written_again(campaign: Campaign) -> None:
    assert campaign.report.text("results.csv") == campaign.first
    campaign.report.assert_chain()


def test_a_token_that_lives_shorter_than_the_campaign_is_renewed(
    campaign: Campaign,
) -> None:
    paths = [request["path"] for request in campaign.requests]
    carried_out = paths[paths.index(_SUBMISSION) :]
    # Each command asks for a token of its own before it does anything else.
    asked = carried_out.count("/oauth2/token")
    assert (asked > 0) is (campaign.way is Way.CLIENT)


def test_only_the_holder_of_a_certificate_comes_through_the_gate(
    campaign: Campaign,
) -> None:
    gate = campaign.sign_in.gate
    if campaign.way is Way.CERTIFICATE:
        assert gate is not None
        # No other credentials went along.
        assert set(gate.seen) == {("robot", None)}
        assert gate.seen.total() == len(campaign.requests)
    else:
        assert gate is None


def test_a_campaign_leaves_no_secret_behind(campaign: Campaign) -> None:
    folder = campaign.report.folder.parent.parent
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert folder / "batch-reenroll.db" in files
    _assert_without(campaign.sign_in, campaign.done.out + campaign.done.err)
    for path in files:
        text = path.read_bytes().decode(errors="replace")
        _assert_without(campaign.sign_in, text)


def _assert_without(sign_in: SignIn, text: str) -> None:
    assert [secret for secret in sign_in.secrets if secret in text] == []


# -- what is in force ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("way", "form"),
    [*((way, "text") for way in Way), (Way.CLIENT, "json"), (Way.DOWN_LEVEL, "json")],
)
def test_config_show_names_every_origin_and_no_secret(
    way: Way, form: str, sites: Callable[[str], Site], tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    with signing_in(way, sites("25"), tmp_path) as sign_in:
        terminal = Terminal(folder=folder, env=sign_in.env)
        words = ("config", "show", "--origin", f"--output={form}")
        done = terminal.run(*words).expect(0)
    for name in sign_in.env:
        assert f"env {name}" in done.out
    if way is Way.CERTIFICATE:
        assert "file:default.client_cert_path" in done.out
    _assert_without(sign_in, done.out + done.err)


# -- tokens that end amid a campaign -------------------------------------------------


@contextmanager
def _revoked_amid(
    place: Site, way: Way, user: str, tmp_path: Path
) -> Iterator[tuple[Terminal, list[Row], Done, int]]:
    """Take an account's tokens back once the first job of a campaign is made."""
    rows = place.rows_of(place.stores({"PEM": 3}))
    folder = tmp_path / "mine"
    folder.mkdir()
    write_manifest(folder / "m.csv", rows)
    since = len(place.served.events())
    with signing_in(way, place, tmp_path) as sign_in:
        place.tokens_hold(LONG_S)
        terminal = Terminal(folder=folder, env=sign_in.env)
        words = ("run", "m.csv", "--yes", "--campaign=c", *_QUICK, _OUTLIVING)
        try:
            process = terminal.start(*words)
            until(lambda: place.served.jobs(rows), process=process)
            place.manage("POST", f"/identities/{user}/revoke")
            yield terminal, rows, finished(process), since
        finally:
            place.tokens_hold(TOKEN_S)


def test_client_credentials_survive_that_their_token_is_taken_back(
    sites: Callable[[str], Site], tmp_path: Path
) -> None:
    place = sites("25")
    with _revoked_amid(place, Way.CLIENT, "client", tmp_path) as (_, rows, done, since):
        done.expect(0)
        place.served.assert_one_job_each(rows)
        requests = place.requests(since)
    # Everybody who was refused shares one new token.
    refused = [request["status"] for request in requests].index(401)
    paths = [request["path"] for request in requests[refused:]]
    assert paths.count("/oauth2/token") == 1


def test_a_ready_token_that_is_taken_back_ends_the_run_and_another_resumes_it(
    sites: Callable[[str], Site], tmp_path: Path
) -> None:
    place = sites("25")
    with _revoked_amid(place, Way.TOKEN, "bearer", tmp_path) as ended:
        terminal, rows, done, _ = ended
        done.expect(8)
        assert "401" in done.err
        assert "go on with: batch-reenroll resume c" in done.err
        token = place.token("bearer-id", SECRET, audience=AUDIENCE)
        env = {"KEYFACTOR_AUTH_ACCESS_TOKEN": token}
        done = terminal.run("resume", "c", *_QUICK, env=env).expect(0)
        report_of(done.err, terminal.folder).assert_accounts_for(rows)
        place.served.assert_one_job_each(rows)
