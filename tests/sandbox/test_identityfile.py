"""Identities from a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from batch_reenroll.sandbox import Right, SandboxError, load_identities


def written(folder: Path, value: object) -> Path:
    path = folder / "identities.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def test_identities_and_accounts_are_read(tmp_path: Path) -> None:
    entry = {
        "user": "pki",
        "domain": "CORP",
        "password_env": "PKI",
        "client_id": "c",
        "client_secret": "s",
        "scopes": ["one"],
        "audience": "aud",
        "rights": ["CertificateEnrollment: EnrollCSR"],
        "containers": {"2": ["Read"]},
        "authorities": ["HOST\\CA"],
    }
    value = {"identities": [entry], "ca_accounts": {"HOST\\CA": "pki"}}
    read = load_identities(written(tmp_path, value), {"PKI": "from-env"})

    (found,) = read.identities
    assert (found.name, found.password) == (r"CORP\pki", "from-env")
    assert (found.scopes, found.audience) == (("one",), "aud")
    assert found.rights.everywhere == {Right.ENROLL_CSR}
    assert found.rights.contained == {(Right.READ_STORES, 2)}
    assert found.enrollment.on_authority("host\\ca")
    assert not found.enrollment.on_authority("host\\other")
    assert found.enrollment.on_template("any")
    assert read.ca_accounts == {"host\\ca": "pki"}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("{", "not JSON"),
        ([], "expected an object"),
        ({"users": []}, "unknown key 'users'"),
        ({"identities": [{}]}, "user is required"),
        ({"identities": [{"user": "a", "rights": ["x"]}]}, "'x' is no permission"),
        ({"identities": [{"user": "a"}, {"user": "A"}]}, "already"),
        ({"identities": [{"user": "a", "password_env": "NO"}]}, "NO is not set"),
        (
            {"identities": [{"user": "a", "password": "x", "password_env": "PKI"}]},
            "both given",
        ),
    ],
)
def test_a_wrong_file_is_refused_with_its_name(
    tmp_path: Path, value: object, words: str
) -> None:
    path = written(tmp_path, value)
    with pytest.raises(SandboxError) as caught:
        load_identities(path, {"PKI": "from-env"})
    assert str(caught.value).startswith(str(path))
    assert words in str(caught.value)
    assert "from-env" not in str(caught.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="No such file"):
        load_identities(tmp_path / "none.json", {})
