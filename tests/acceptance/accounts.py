"""A served Command of one version, with accounts that hold rights of their own.

Rights are written here by the names of Keyfactor's documents, and every request is
made with the standard library: nothing is shared with the program or the server.
"""

from __future__ import annotations

import base64
import json
import shlex
import signal
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from acceptance.served import PASSWORD, Row, Served, serve
from acceptance.terminal import finished, until

from batch_reenroll.sandbox import FleetPlan, load_store_types
from batch_reenroll.sandbox.fleet import PlannedStore

NEW_CA = r"ca01.example.com\Corp Issuing CA 2"
OLD_CA = r"ca01.example.com\Corp Issuing CA 1"


@dataclass(frozen=True, slots=True)
class Permission:
    """One permission, as Command 10 and as 11 and later name it."""

    role: str
    claim: str

    def named(self, dialect: str) -> str:
        """Return the name that a version of Command knows."""
        return self.role if dialect == "10" else self.claim


ENROLL_CSR = Permission(
    "CertificateEnrollment: EnrollCSR", "/certificates/enrollment/csr/"
)
READ_STORES = Permission(
    "CertificateStoreManagement: Read", "/certificate_stores/read/"
)
MODIFY_STORES = Permission(
    "CertificateStoreManagement: Modify", "/certificate_stores/modify/"
)
READ_AGENTS = Permission("AgentManagement: Read", "/agents/management/read/")

#: What it takes to withdraw a job that waits.
MODIFY_AGENTS = Permission("AgentManagement: Modify", "/agents/management/modify/")
SCHEDULE_STORES = Permission(
    "CertificateStoreManagement: Schedule", "/certificate_stores/schedule/"
)
#: What a plan looks at when the account may: 10 has one name for both.
READ_AUTHORITIES = Permission("PkiManagement: Read", "/certificate_authorities/read/")
READ_TEMPLATES = Permission("PkiManagement: Read", "/certificate_templates/read/")

#: Exactly what a campaign needs.
NEEDED = (ENROLL_CSR, READ_STORES, MODIFY_STORES, READ_AGENTS)

#: A type whose jobs need two entry parameters: the inventory shows the one that was
#: needed to put the certificate there, the other one only a person knows.
BOX_TYPE = {
    "Name": "Remote Box",
    "ShortName": "RBox",
    "Capability": "RBox",
    "SupportedOperations": {"Add": True, "Enrollment": True, "Remove": True},
    "CustomAliasAllowed": "Required",
    "PrivateKeyAllowed": "Required",
    "PasswordOptions": {"StoreRequired": True},
    "EntryParameters": [
        {
            "Name": "Slot",
            "Type": "String",
            "DefaultValue": "A1",
            "RequiredWhen": {"OnAdd": True, "OnReenrollment": True},
        },
        {
            "Name": "Mode",
            "Type": "MultipleChoice",
            "Options": "graceful,forced",
            "RequiredWhen": {"OnReenrollment": True},
        },
    ],
}
BOX, IIS = "RBox", "IISU"
STORE_TYPES = ("PEM", "JKS", "PKCS12", BOX, IIS)


def account(
    user: str,
    permissions: Iterable[Permission],
    dialect: str,
    *,
    authorities: Sequence[str] = (NEW_CA,),
    templates: Sequence[str] = ("WebServer",),
    **more: object,
) -> dict[str, Any]:
    """Return an account of an identity file, which signs in by its name's password.

    Args:
        user: Its name, in the domain ``EXAMPLE`` unless ``more`` says another.
        permissions: What it holds everywhere.
        dialect: Whose names of permissions the file uses.
        authorities, templates: On what it may enroll.
        more: Other keys of the entry.
    """
    return {
        "user": user,
        "password": password_of(user),
        "rights": [permission.named(dialect) for permission in permissions],
        "authorities": list(authorities),
        "templates": list(templates),
        **more,
    }


def password_of(user: str) -> str:
    """Return the password of an account; too odd to stand in a file by chance."""
    return f"{PASSWORD}-{user}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A served Command and what is told about it."""

    served: Served
    dialect: str
    url: str
    _management: Mapping[str, str]
    _taken: set[str] = field(default_factory=set)

    @property
    def where(self) -> dict[str, str]:
        """The variables that say where it is, and not who asks."""
        return {"KEYFACTOR_HOSTNAME": self.url, "KEYFACTOR_API_PATH": "KeyfactorAPI"}

    def as_user(self, user: str) -> dict[str, str]:
        """Return the variables of an account in the domain ``EXAMPLE``."""
        return self.where | {
            "KEYFACTOR_USERNAME": f"EXAMPLE\\{user}",
            "KEYFACTOR_PASSWORD": password_of(user),
        }

    # -- stores --------------------------------------------------------------------

    def stores(self, counts: Mapping[str, int]) -> list[str]:
        """Return ids of stores that no test had before, so many of each type."""
        found: list[str] = []
        for name, n in counts.items():
            of_type = (s for s in self._free() if s.store_type.short_name == name)
            found += [store.store_id for store in islice(of_type, n)]
        return self._taking(found, sum(counts.values()))

    def rows(self, n: int, *, containers: Iterable[int] = (0, 1, 2, 3)) -> list[Row]:
        """Return rows of so many stores in each container that no test had before."""
        found: list[str] = []
        for number in containers:
            held = (s for s in self._free() if s.container_id == number)
            found += [store.store_id for store in islice(held, n)]
        return self.rows_of(self._taking(found, n * len(tuple(containers))))

    def rows_of(self, store_ids: Iterable[str]) -> list[Row]:
        """Return manifest rows of stores with an alias of their own, in fleet order."""
        wanted = set(store_ids)
        rows = self.served.fleet.manifest_rows()
        mine = (row for row in rows if row["KeystoreId"] in wanted)
        return [{"RowId": f"r{i:02d}", **row} for i, row in enumerate(mine, 1)]

    def container(self, row: Row) -> int:
        """Return the container of a row's store, 0 where it has none."""
        stores = self.served.fleet.stores
        found = (s.container_id for s in stores if s.store_id == row["KeystoreId"])
        return next(found)

    def _free(self) -> Iterator[PlannedStore]:
        stores = self.served.fleet.stores
        return (store for store in stores if store.store_id not in self._taken)

    def _taking(self, found: list[str], n: int) -> list[str]:
        assert len(found) == n, "the fleet has no such stores left"
        self._taken.update(found)
        return found

    def others(self, path: Path, chosen: Iterable[str]) -> Path:
        """Write a CSV file that names every store but those that were chosen."""
        left = {store.store_id for store in self.served.fleet.stores} - set(chosen)
        path.write_text("\n".join(["KeystoreId", *sorted(left)]), encoding="utf-8")
        return path

    # -- requests ------------------------------------------------------------------

    def inventory(self, store_id: str) -> list[dict[str, Any]]:
        """Return what Command itself says a store holds."""
        pair = base64.b64encode(f"sandbox:{PASSWORD}".encode()).decode()
        path = f"/KeyfactorAPI/CertificateStores/{store_id}/Inventory"
        found: list[dict[str, Any]] = _asked(self.url + path, f"Basic {pair}")
        return found

    def manage(self, method: str, path: str, body: object = None) -> None:
        """Do something at the management port."""
        _asked(
            self._management["SANDBOX_MANAGEMENT_URL"] + path,
            f"Bearer {self._management['SANDBOX_MANAGEMENT_KEY']}",
            method,
            None if body is None else json.dumps(body).encode(),
        )

    def tokens_hold(self, seconds: int) -> None:
        """Set for how long tokens of now on hold."""
        self.manage("PATCH", "/settings", {"token_lifetime_s": seconds})

    def token(self, client_id: str, client_secret: str, **form: str) -> str:
        """Return an access token for a client."""
        form |= {"client_id": client_id, "client_secret": client_secret}
        form["grant_type"] = "client_credentials"
        body = urlencode(form).encode()
        with urllib.request.urlopen(f"{self.url}/oauth2/token", body) as answer:
            return str(json.loads(answer.read())["access_token"])

    # -- the judge -----------------------------------------------------------------

    def requests(self, after: int = 0) -> list[dict[str, Any]]:
        """Return the requests among the entries of the log, from an entry on."""
        entries = self.served.events()[after:]
        return [entry for entry in entries if entry["event"] == "request"]

    def scheduled_by(self, store_ids: Iterable[str], after: int = 0) -> set[str]:
        """Return the accounts that had reenrollment jobs made for these stores."""
        wanted = set(store_ids)
        return {
            entry["by"]
            for entry in self.served.events()[after:]
            if entry["event"] == "job_created"
            and entry["job_type"].endswith("Reenrollment")
            and entry["store_id"] in wanted
        }


def _asked(
    url: str, authorization: str, method: str = "GET", body: bytes | None = None
) -> Any:
    headers = {"Authorization": authorization, "Content-Type": "application/json"}
    request = urllib.request.Request(url, method=method, data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        text = answer.read()
    return json.loads(text) if text else None


@contextmanager
def site(
    folder: Path,
    dialect: str,
    accounts: Sequence[Mapping[str, object]],
    *,
    stores: int,
    iis: int = 0,
    ca_accounts: Mapping[str, str] | None = None,
) -> Iterator[Site]:
    """Serve a Command with accounts; without IIS-like stores there are no boxes either.

    Args:
        folder: Made for it.
        dialect: Major version.
        accounts: As :func:`account` returns them.
        stores: Certificate stores in all.
        iis: How many of them are IIS-like.
        ca_accounts: CA → account configured for its authorization.
    """
    folder.mkdir()
    identities = folder / "identities.json"
    known = {"identities": accounts, "ca_accounts": ca_accounts or {}}
    identities.write_text(json.dumps(known), encoding="utf-8")
    types = folder / "store_types.json"
    types.write_text(json.dumps([BOX_TYPE] if iis else []), encoding="utf-8")
    plan = FleetPlan(
        stores=stores,
        iis_stores=iis,
        orchestrators=3,
        store_types=load_store_types(types) if iis else (),
        seed=25,
    )
    flags = [
        f"--identities={identities}",
        f"--dialect={dialect}",
        *("--management-port=0", f"--iis={iis}"),
        *([f"--store-types={types}"] if iis else []),
    ]
    served = serve(folder, plan, heartbeat_s=0.1, flags=flags)
    try:
        said = until(lambda: _management(folder / "command.out"))
        yield Site(
            served=served,
            dialect=dialect,
            url=served.env["KEYFACTOR_HOSTNAME"],
            _management=said,
        )
    finally:
        served.process.send_signal(signal.SIGTERM)
        finished(served.process)


def _management(said: Path) -> dict[str, str]:
    words = [shlex.split(line) for line in said.read_text().splitlines()]
    found = dict(w[1].split("=", 1) for w in words if w[:1] == ["export"])
    return found if "SANDBOX_MANAGEMENT_KEY" in found else {}
