r"""X.500 names as people write them: parsed, compared, written, warned about.

Read are RFC 4514 and its older kin: comma between RDNs, ``+`` inside one, spaces
around both, values bare, in double quotes or as ``#`` and DER in hex, ``\,`` and
``\2C`` escapes, doubled quotes. The first RDN written is the first of the result.
The string is sent to Command as the user wrote it; the parse only checks.

Source:
    RFC 4514; RFC 2253 section 4 (quotes, spaces); keyfactor-command.md section 8.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache

from batch_reenroll.manifest.rules import did_you_mean, shown
from batch_reenroll.text import plain, visible

#: RDNs in the order written; each one or more (attribute type, value). A type is its
#: short keyword (``CN``), or a dotted OID where it has none here.
Name = tuple[tuple[tuple[str, str], ...], ...]

# Keyword -> OID, the preferred keyword of an OID first.
# Source: RFC 4519, RFC 2985 (E), CA/Browser Forum EV 9.2 (jurisdiction…); the aliases
# are those that Windows and OpenSSL write.
_OID_BY_KEYWORD = {
    "CN": "2.5.4.3",
    "OU": "2.5.4.11",
    "O": "2.5.4.10",
    "L": "2.5.4.7",
    "ST": "2.5.4.8",
    "C": "2.5.4.6",
    "E": "1.2.840.113549.1.9.1",
    "SERIALNUMBER": "2.5.4.5",
    "STREET": "2.5.4.9",
    "DC": "0.9.2342.19200300.100.1.25",
    "UID": "0.9.2342.19200300.100.1.1",
    "T": "2.5.4.12",
    "G": "2.5.4.42",
    "SN": "2.5.4.4",
    "I": "2.5.4.43",
    "POSTALCODE": "2.5.4.17",
    "DESCRIPTION": "2.5.4.13",
    "BUSINESSCATEGORY": "2.5.4.15",
    "GENERATIONQUALIFIER": "2.5.4.44",
    "DNQUALIFIER": "2.5.4.46",
    "PSEUDONYM": "2.5.4.65",
    "ORGANIZATIONIDENTIFIER": "2.5.4.97",
    "UNSTRUCTUREDNAME": "1.2.840.113549.1.9.2",
    "UNSTRUCTUREDADDRESS": "1.2.840.113549.1.9.8",
    "JURISDICTIONL": "1.3.6.1.4.1.311.60.2.1.1",
    "JURISDICTIONST": "1.3.6.1.4.1.311.60.2.1.2",
    "JURISDICTIONC": "1.3.6.1.4.1.311.60.2.1.3",
    "COMMONNAME": "2.5.4.3",
    "ORGANIZATIONALUNITNAME": "2.5.4.11",
    "ORGANIZATIONNAME": "2.5.4.10",
    "LOCALITYNAME": "2.5.4.7",
    "S": "2.5.4.8",
    "SP": "2.5.4.8",
    "STATEORPROVINCENAME": "2.5.4.8",
    "COUNTRYNAME": "2.5.4.6",
    "EMAILADDRESS": "1.2.840.113549.1.9.1",
    "EMAIL": "1.2.840.113549.1.9.1",
    "STREETADDRESS": "2.5.4.9",
    "DOMAINCOMPONENT": "0.9.2342.19200300.100.1.25",
    "USERID": "0.9.2342.19200300.100.1.1",
    "TITLE": "2.5.4.12",
    "GIVENNAME": "2.5.4.42",
    "GN": "2.5.4.42",
    "SURNAME": "2.5.4.4",
    "INITIALS": "2.5.4.43",
}
_KEYWORD_BY_OID: dict[str, str] = {}
for _keyword, _oid in _OID_BY_KEYWORD.items():
    _KEYWORD_BY_OID.setdefault(_oid, _keyword)

_SPECIAL = ',"+;<>\\#='
_TYPE = re.compile(r" *([A-Za-z][A-Za-z0-9-]*|(?:[Oo][Ii][Dd]\.)?\d+(?:\.\d+)+) *= *")
_OID = re.compile(r"[0-2](?:\.(?:0|[1-9]\d*))+", re.ASCII)
# A bare value up to its end, its escapes still in it.
_BARE = re.compile(r'(?:[^\\",+;<>]|\\.)*')
_QUOTED = re.compile(r'"((?:[^"\\]|\\.|"")*)"')
_HEX_VALUE = re.compile(r"#((?:[0-9A-Fa-f]{2})+)(?= *(?:[,+;]|$))")
_ESCAPES = re.compile(r'(?:\\[0-9A-Fa-f]{2})+|\\.|""')
# A first value of letters that no rule of names speaks of.
_PLAIN_CN = re.compile(r"[Cc][Nn]=[A-Za-z0-9*][A-Za-z0-9*._@:/ -]*")
_MAX_REST = 500
_ASCII_STRING_TAGS = {0x0C, 0x12, 0x13, 0x16, 0x1A}
_BMP_STRING_TAG = 0x1E
_COUNTRY_TYPES = {"C", "JURISDICTIONC"}


class SubjectInvalid(ValueError):
    """The text is no X.500 name.

    Attributes:
        position: 1-based character where reading stopped.
        message: What was found and expected, without the position.
    """

    def __init__(self, position: int, message: str) -> None:
        super().__init__(f"character {position}: {message}")
        self.position = position
        self.message = message


def parse(text: str) -> Name:
    """Return the name that ``text`` writes, n >= 1 RDNs.

    Raises:
        SubjectInvalid: It is not one; says at which character and what was expected.
    """
    if not text.strip():
        raise SubjectInvalid(1, "the subject is empty; expected a name such as CN=…")
    rdns: list[tuple[tuple[str, str], ...]] = []
    rdn: list[tuple[str, str]] = []
    for attribute, value, separator in _attributes(text):
        rdn.append((attribute, value))
        if separator != "+":
            rdns.append(tuple(rdn))
            rdn = []
    return tuple(rdns)


def parses(text: str) -> bool:
    """Return whether :func:`parse` takes ``text`` less white space around; quick.

    Names of a manifest differ in their first CN and share what follows: that is parsed
    once. How a value parses does not depend on the plain value before its comma.
    """
    text = text.strip()
    match = _PLAIN_CN.match(text)
    rest = text if match is None else text[match.end() :]
    if match is None or (rest and rest[0] != ",") or len(rest) > _MAX_REST:
        return _parses_whole(text)
    return _parses_after_cn(rest)


@lru_cache(maxsize=4_096)
def _parses_after_cn(rest: str) -> bool:
    return _parses_whole("CN=x" + rest)


def _parses_whole(text: str) -> bool:
    try:
        parse(text)
    except SubjectInvalid:
        return False
    return True


def render(name: Name) -> str:
    r"""Return ``name`` as RFC 4514 text; ``parse(render(name)) == name``."""
    return ",".join(
        "+".join(f"{kind}={_escaped(value)}" for kind, value in rdn) for rdn in name
    )


def same_name(a: Name, b: Name) -> bool:
    """Return whether two names are equal but for runs of white space.

    Types compare by OID whatever keyword wrote them (the parse sees to it), values
    with their case, RDNs in order, the parts of one RDN in any order.
    """
    return _comparable(a) == _comparable(b)


def agent_warnings(name: Name) -> list[str]:
    """Return one sentence for each thing in ``name`` that agents are known to mangle.

    Source: keyfactor-command.md section 8 (C agent, IIS and Akamai extensions).
    """
    pairs = [pair for rdn in name for pair in rdn]
    warnings = [
        f"{kind} holds {shown(value)}: agents disagree on how to read one of "
        ', " + ; < > \\ # in a value'
        for kind, value in pairs
        if any(c in value for c in ',"+;<>\\#')
    ]
    warnings += [
        f"{kind}: the C agent knows only CN, OU, O, L, ST and C and leaves it out"
        for kind in dict.fromkeys(kind for kind, _ in pairs)
        if kind not in {"CN", "OU", "O", "L", "ST", "C"}
    ]
    warnings += [
        f"{kind} stands {n} times: the Akamai extension keeps the last one"
        for kind, n in Counter(kind for kind, _ in pairs).items()
        if n > 1
    ]
    return warnings


def _comparable(name: Name) -> tuple[tuple[tuple[str, str], ...], ...]:
    return tuple(
        tuple(sorted((kind, plain(value)) for kind, value in rdn)) for rdn in name
    )


def _attributes(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield (type, value, separator that follows: ``,``, ``+`` or nothing)."""
    at = 0
    while True:
        kind, at = _type_at(text, at)
        value, end = _value_at(text, at, kind)
        separator = text[end : end + 1]
        yield kind, _checked(kind, value, at), separator
        if not separator:
            return
        if separator not in ",+":
            raise SubjectInvalid(end + 1, _after_value(separator))
        at = end + 1


def _after_value(found: str) -> str:
    if found == ";":
        return "found ';'; expected a comma between the parts (or \\; inside a value)"
    instead = f", or write \\{found}" if found in _SPECIAL else ""
    return f"found {shown(found)}; expected a comma{instead}"


def _type_at(text: str, at: int) -> tuple[str, int]:
    match = _TYPE.match(text, at)
    if match is None:
        raise _no_type(text, at)
    word = match.group(1).upper()
    if not word[0].isdigit() and not word.startswith("OID."):
        oid = _OID_BY_KEYWORD.get(word)
        if oid is None:
            hint = did_you_mean(word, _KEYWORD_BY_OID.values()) or "use its dotted OID"
            message = f"attribute {shown(match.group(1))} is not known; {hint}"
            raise SubjectInvalid(match.start(1) + 1, message)
        return _KEYWORD_BY_OID[oid], match.end()
    oid = word.removeprefix("OID.")
    if _OID.fullmatch(oid) is None:
        raise SubjectInvalid(match.start(1) + 1, f"{shown(oid)} is not an OID")
    return _KEYWORD_BY_OID.get(oid, oid), match.end()


def _no_type(text: str, at: int) -> SubjectInvalid:
    found = at + len(text[at:]) - len(text[at:].lstrip(" "))
    if not text[found:]:
        return SubjectInvalid(found + 1, "the name ends; expected an attribute")
    if text[found] == "/":
        message = "found '/'; expected CN=…,O=…: slashes are OpenSSL's own form"
    elif at and text[at - 1] == "+":
        message = "after + an attribute such as OU= is expected (write \\+ for a plus)"
    else:
        message = f"found {shown(text[found : found + 20])}; expected an attribute "
        message += "such as CN= (a value that holds a comma goes into double quotes)"
    return SubjectInvalid(found + 1, message)


def _value_at(text: str, at: int, kind: str) -> tuple[str, int]:
    """Return the value that begins at ``at`` and where the text goes on after it."""
    first = text[at : at + 1]
    if first == '"':
        match = _QUOTED.match(text, at)
        if match is None:
            raise SubjectInvalid(at + 1, "the opening quote is never closed")
        return _unescaped(match.group(1), at + 1), _skip_spaces(text, match.end())
    if first == "#":
        return _hex_value(text, at)
    match = _BARE.match(text, at)
    end = at if match is None else match.end()
    if text[end : end + 1] == "\\":
        raise SubjectInvalid(end + 1, "a backslash ends the name; expected \\\\")
    raw = _right_trimmed(text[at:end])
    if not raw:
        raise SubjectInvalid(at + 1, f"{kind} has no value")
    return (_unescaped(raw, at) if "\\" in raw else raw), end


def _skip_spaces(text: str, at: int) -> int:
    while text[at : at + 1] == " ":
        at += 1
    return at


def _right_trimmed(raw: str) -> str:
    trimmed = raw.rstrip(" ")
    backslashes = len(trimmed) - len(trimmed.rstrip("\\"))
    return raw[: len(trimmed) + 1] if backslashes % 2 else trimmed


def _unescaped(raw: str, offset: int) -> str:
    def replace(match: re.Match[str]) -> str:
        found = match.group()
        if found == '""':
            return '"'
        if found[1] in _SPECIAL + " ":
            return found[1]
        try:
            return bytes.fromhex(found.replace("\\", "")).decode()
        except ValueError:
            message = f"{shown(found)} is no escape; expected \\, or \\2C"
            raise SubjectInvalid(offset + match.start() + 1, message) from None

    return _ESCAPES.sub(replace, raw)


def _hex_value(text: str, at: int) -> tuple[str, int]:
    match = _HEX_VALUE.match(text, at)
    if match is None:
        raise SubjectInvalid(at + 1, "after # pairs of hexadecimal digits are expected")
    value = _der_string(bytes.fromhex(match.group(1)))
    if value is None:
        raise SubjectInvalid(at + 1, "the hexadecimal value is not a DER string")
    return value, _skip_spaces(text, match.end())


def _der_string(der: bytes) -> str | None:
    if len(der) < 2 or der[1] != len(der) - 2 or der[1] > 127:
        return None
    try:
        if der[0] in _ASCII_STRING_TAGS:
            return der[2:].decode("utf-8" if der[0] == 0x0C else "ascii")
        if der[0] == _BMP_STRING_TAG:
            return der[2:].decode("utf-16-be")
    except UnicodeDecodeError:
        return None
    return None


def _checked(kind: str, value: str, at: int) -> str:
    if not value.strip():
        raise SubjectInvalid(at + 1, f"{kind} has no value")
    if visible(value) != value:
        raise SubjectInvalid(at + 1, f"{kind} holds a control character")
    if kind in _COUNTRY_TYPES and not (
        len(value) == 2 and value.isascii() and value.isalpha()
    ):
        message = f"{kind} is {shown(value)}; expected two letters such as US"
        raise SubjectInvalid(at + 1, message)
    return value


def _escaped(value: str) -> str:
    text = re.sub(r'[,"+;<>\\=]', lambda m: "\\" + m.group(), value)
    if text[:1] in {"#", " "}:
        text = "\\" + text
    return text[:-1] + "\\ " if text.endswith(" ") else text
