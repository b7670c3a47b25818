"""X.500 subjects as an orchestrator reads them when it builds a CSR.

Knows the string form of RFC 4514 and the quoted values of the older RFC 1779, which
is what Command's documents show: ``CN=a,O="Key Example, Inc.",C=US``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

#: One relative name: (attribute, value) pairs, more than one when joined by ``+``.
Rdn = tuple[tuple[str, str], ...]

#: Attribute names to OIDs (RFC 4519; ``S`` and ``E`` are Microsoft's spellings).
OIDS = {
    "CN": "2.5.4.3",
    "SERIALNUMBER": "2.5.4.5",
    "C": "2.5.4.6",
    "L": "2.5.4.7",
    "ST": "2.5.4.8",
    "S": "2.5.4.8",
    "STREET": "2.5.4.9",
    "O": "2.5.4.10",
    "OU": "2.5.4.11",
    "DC": "0.9.2342.19200300.100.1.25",
    "UID": "0.9.2342.19200300.100.1.1",
    "E": "1.2.840.113549.1.9.1",
    "EMAILADDRESS": "1.2.840.113549.1.9.1",
}
_DOTTED = re.compile(r"[0-2](\.(0|[1-9]\d{0,9})){1,15}", re.ASCII)
_HEX = "0123456789abcdefABCDEF"
#: X.520 upper bounds that certificate libraries enforce.
_LONGEST = {"CN": 64, "OU": 64, "O": 64, "L": 128, "ST": 128, "SERIALNUMBER": 64}
_NEEDS_QUOTES = re.compile(r'[,+"\\<>;=#\n]|^\s|\s$|^$')


class BadSubject(ValueError):
    """The text is no X.500 name that a CSR can carry."""


class _Reader:
    """A cursor over one subject."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def peek(self) -> str:
        return self.text[self.at] if self.at < len(self.text) else ""

    def skip_spaces(self) -> None:
        while self.peek() == " ":
            self.at += 1

    def attribute(self) -> str:
        end = self.text.find("=", self.at)
        if end < 0:
            raise BadSubject(f"no '=' after position {self.at}")
        name = self.text[self.at : end].strip().upper().removeprefix("OID.")
        if name not in OIDS and not _DOTTED.fullmatch(name):
            raise BadSubject(f"unknown attribute {name[:40]!r}")
        self.at = end + 1
        return "ST" if name == "S" else name

    def value(self) -> str:
        self.skip_spaces()
        value = self.quoted() if self.peek() == '"' else self.bare()
        self.skip_spaces()
        return value

    def quoted(self) -> str:
        self.at += 1
        out: list[str] = []
        while (char := self.peek()) != '"':
            if not char:
                raise BadSubject("a quoted value is not closed")
            out.append(self.escape() if char == "\\" else self.take())
        self.at += 1
        return _joined(out)

    def bare(self) -> str:
        out: list[str] = []
        kept = 0  # trailing spaces count only when they were escaped
        while (char := self.peek()) and char not in ",+;":
            if char == '"':
                raise BadSubject(f"a stray quote at position {self.at}")
            out.append(self.escape() if char == "\\" else self.take())
            if char != " ":
                kept = len(out)
        return _joined(out[:kept])

    def take(self) -> str:
        self.at += 1
        return self.text[self.at - 1]

    def escape(self) -> str:
        pair = self.text[self.at + 1 : self.at + 3]
        if len(pair) == 2 and all(char in _HEX for char in pair):
            self.at += 3
            return f"\\{pair}"
        if not pair:
            raise BadSubject("a backslash ends the subject")
        self.at += 2
        return pair[0] if pair[0] != "\\" else "\\5C"


def _joined(parts: Sequence[str]) -> str:
    r"""Join characters and ``\HH`` bytes (UTF-8) to text."""
    raw = bytearray()
    for part in parts:
        raw += bytes.fromhex(part[1:]) if len(part) == 3 else part.encode()
    try:
        return raw.decode()
    except UnicodeDecodeError as exc:
        raise BadSubject("escaped bytes are not UTF-8") from exc


def parse_subject(text: str) -> tuple[Rdn, ...]:
    """Return the RDNs of ``text`` as written, most specific first, n >= 1.

    Raises:
        BadSubject: It cannot become the subject of a CSR; the message says why.
    """
    if any(ord(char) < 32 or "\ud800" <= char <= "\udfff" for char in text):
        raise BadSubject("control characters are not allowed")
    reader = _Reader(text)
    rdns: list[Rdn] = []
    pairs: list[tuple[str, str]] = []
    while True:
        reader.skip_spaces()
        name = reader.attribute()
        pairs.append((name, _checked(name, reader.value())))
        separator = reader.peek()
        reader.at += 1
        if separator == "+":
            continue
        rdns.append(tuple(pairs))
        pairs = []
        if not separator:
            return tuple(rdns)
        if separator not in ",;":
            raise BadSubject(f"expected ',' at position {reader.at - 1}")


def _checked(name: str, value: str) -> str:
    if not value:
        raise BadSubject(f"{name} is empty")
    if name == "C" and not re.fullmatch("[A-Za-z]{2}", value):
        raise BadSubject("C must be two letters")
    if len(value) > _LONGEST.get(name, 256):
        raise BadSubject(f"{name} is longer than {_LONGEST.get(name, 256)} characters")
    return value


def render(rdns: Sequence[Rdn]) -> str:
    """Return the name as Windows prints it: ``, `` between, quotes where needed."""
    return ", ".join(
        " + ".join(f"{name}={_quoted(value)}" for name, value in rdn) for rdn in rdns
    )


def _quoted(value: str) -> str:
    if _NEEDS_QUOTES.search(value) is None:
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def common_name(rdns: Sequence[Rdn]) -> str | None:
    """Return the first CN, or None."""
    return next((v for rdn in rdns for name, v in rdn if name == "CN"), None)
