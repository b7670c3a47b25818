"""Messages of one cause have one fingerprint; other causes have others."""

from __future__ import annotations

import pytest

from batch_reenroll.campaign.fingerprint import fingerprint


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "job 0f8fad5b-d9cb-469f-a165-70867728950e failed",
            "job <guid> failed",
        ),
        ("could not reach web01.corp.example.com:443", "could not reach <host>"),
        ("could not reach WEB01.CORP.LOCAL", "could not reach <host>"),
        ("no route to 10.20.30.40:8443", "no route to <ip>"),
        ("no route to 2001:db8:0:1:0:0:0:1", "no route to <ip>"),
        ("open /etc/ssl/a/server.pem: denied", "open <path>: denied"),
        (r"open C:\inetpub\a.pfx: denied", "open <path>: denied"),
        (r"open \\files01\share\a.pfx: denied", "open <path>: denied"),
        ("GET https://ca01.example.com/x?y=1 failed", "GET <url> failed"),
        ("since 2026-11-23T18:40:05.123Z", "since <time>"),
        ("serial 00A1B2C3D4E5F6", "serial <hex>"),
        ("thumbprint " + "ab12" * 10, "thumbprint <hex>"),
        ("attempt 3 of 5 after 1,200 s", "attempt <n> of <n> after <n> s"),
        (
            "tab\tand\r\nline",
            "tab\\tand\\r\\nline".replace("\\t", " ").replace("\\r\\n", " "),
        ),
        ("", ""),
    ],
)
def test_what_differs_from_row_to_row_is_left_out(message: str, expected: str) -> None:
    assert fingerprint(message) == expected


@pytest.mark.parametrize(
    "cause",
    [
        "System.Security.Cryptography.CryptographicException: Access is denied",
        "The RPC server is unavailable. 0x800706ba",
    ],
)
def test_what_names_the_cause_stays(cause: str) -> None:
    assert fingerprint(cause) == cause


def test_a_megabyte_gives_a_short_line_without_controls() -> None:
    found = fingerprint("a.b-" * 250_000 + "\x1b")
    assert len(found) <= 240
    assert found.isprintable()


def test_three_thousand_failures_of_one_cause_are_one() -> None:
    texts = {
        fingerprint(f"cannot bind web{n:04}.example.com to 10.0.{n % 256}.{n % 7}:{n}")
        for n in range(3_000)
    }
    assert texts == {"cannot bind <host> to <ip>"}
