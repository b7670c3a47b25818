"""YAML as a stream of events made into plain values, one item at a time.

Only what JSON can say is taken: mappings with text keys, lists, text, numbers, true,
false, null. Anchors, aliases and tags are refused, so nothing can multiply; a plain
scalar that YAML 1.1 and 1.2 read differently (``NO``, ``0123``, ``1e5``) is refused
too. A moment in time is its text.

Source: YAML 1.1 type repository; YAML 1.2.2 section 10.3 (core schema).
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from batch_reenroll.manifest.rules import CannotReadOn, Fault, shown
from batch_reenroll.manifest.source import MAX_CELL, ByteSource
from batch_reenroll.text import visible

MAX_DEPTH = 16
# libyaml looks at every open level for each token: its time grows as depth squared.
_HOPELESS_DEPTH = 256
# What libyaml may take in between two events, its own buffers not counted.
_MAX_EVENT_BYTES = 1 << 20
_READ_BYTES = 1 << 16
# Largest row or header block: characters of its values, and 16 for each event, which
# is about what a short value takes.
_MAX_SIZE = 1 << 22
_EVENT_SIZE = 16

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_INT = re.compile(r"0|-?[1-9][0-9]{0,39}", re.ASCII)
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+", re.ASCII)
_WORDS = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
# Text to one version of YAML, or another number, or a truth value to the other.
_TWO_FACED = re.compile(
    r"[yYnN]|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
    r"|[-+]?0x[0-9A-Fa-f_]+|[-+]?0b[01_]+|[-+]?0o[0-7_]+"
    r"|[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"
    r"|=|<<",
    re.ASCII,
)
_ABSENT = object()


class _CheckedText:
    """The file as text for the parser; notices what is not text, and runaway values.

    Attributes:
        since_event: Bytes read since the parser's last event; the reader sets it to 0.
    """

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        self._line = 1
        self.since_event = 0

    def read(self, size: int = _READ_BYTES) -> str:
        chunk = self._source.read(min(size, _READ_BYTES))
        self.since_event += len(chunk)
        if self.since_event > _MAX_EVENT_BYTES:
            message = f"a value takes more than {_MAX_EVENT_BYTES} bytes"
            raise CannotReadOn(Fault("cell_too_long", message, line=self._line))
        try:
            text = self._decode(chunk, not chunk)
        except UnicodeDecodeError as error:
            line = self._line + bytes(error.object).count(b"\n", 0, error.start)
            message = f"byte 0x{error.object[error.start]:02x} is not UTF-8"
            raise CannotReadOn(Fault("not_utf8", message, line=line)) from None
        at = text.find("\0")
        if at >= 0:
            line = self._line + text.count("\n", 0, at)
            raise CannotReadOn(Fault("nul_byte", "a NUL byte", line=line))
        self._line += text.count("\n")
        if chunk and not text:
            return self.read(size)
        return text


@dataclass(slots=True)
class EventReader:
    """Events of one YAML file as values.

    Attributes:
        faults: What was wrong in the values read so far; each has a line, and the
            key that leads to it as column.
        lines: Path -> 1-based line of each key read while ``record_lines``.
    """

    source: ByteSource
    faults: list[Fault] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)
    record_lines: bool = False
    _size: int = 0
    _text: _CheckedText = field(init=False)
    _parser: Any = field(init=False)

    def __post_init__(self) -> None:
        self._text = _CheckedText(self.source)
        try:
            # The parser reads ahead as it is made.
            self._parser = _Loader(self._text)
        except yaml.YAMLError as error:
            raise _not_yaml(error) from None

    def next(self) -> Any:
        """Return the next event.

        Raises:
            CannotReadOn: The file is not YAML from here on, or cannot be read.
        """
        try:
            event = self._parser.get_event()
        except yaml.YAMLError as error:
            raise _not_yaml(error) from None
        self._text.since_event = 0
        self._size += _EVENT_SIZE
        if isinstance(event, yaml.ScalarEvent):
            self._size += len(event.value)
        if self._size > _MAX_SIZE:
            line = event.start_mark.line + 1
            message = f"a row or a block takes more than {_MAX_SIZE} characters"
            raise CannotReadOn(Fault("yaml_too_large", message, line=line))
        return event

    def begin(self) -> None:
        """Say that a new row or block begins: each has a size of its own."""
        self._size = 0

    def skip(self, event: Any) -> None:
        """Read to the end of the value that begins with ``event``.

        Raises:
            CannotReadOn: It is nested so deep that reading on would take for ever.
        """
        depth = _step(event)
        while depth > 0:
            event = self.next()
            depth += _step(event)
            if depth > _HOPELESS_DEPTH:
                message = f"more than {_HOPELESS_DEPTH} levels of nesting"
                line = event.start_mark.line + 1
                raise CannotReadOn(Fault("yaml_too_deep", message, line=line))

    def value(self, event: Any, path: str = "", depth: int = 0) -> Any:
        """Return the value that begins with ``event``; null where it has a fault."""
        line = event.start_mark.line + 1
        refused = self._refusal(event, path, line, depth)
        if refused is not None:
            self.faults.append(refused)
            self.skip(event)
            return None
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, path, line)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._items(path, depth)
        return self._pairs(path, depth)

    def _refusal(self, event: Any, path: str, line: int, depth: int) -> Fault | None:
        column = path or None
        if isinstance(event, yaml.AliasEvent):
            message = f"alias {shown(event.anchor)}"
            return Fault("yaml_alias", message, column, line)
        if event.anchor is not None:
            message = f"anchor {shown(event.anchor)}"
            return Fault("yaml_alias", message, column, line)
        if event.tag is not None:
            return Fault("yaml_tag", f"tag {shown(event.tag)}", column, line)
        if depth > MAX_DEPTH:
            message = f"more than {MAX_DEPTH} levels of nesting"
            return Fault("yaml_too_deep", message, column, line)
        return None

    def _items(self, path: str, depth: int) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := self.next(), yaml.SequenceEndEvent):
            inner = f"{path}[{len(items)}]"
            if self.record_lines:
                self.lines[inner] = event.start_mark.line + 1
            items.append(self.value(event, inner, depth + 1))
        return items

    def _pairs(self, path: str, depth: int) -> dict[str, Any]:
        pairs: dict[str, Any] = {}
        while not isinstance(event := self.next(), yaml.MappingEndEvent):
            key = self.key(event, path, pairs)
            if key is None:
                self.skip(self.next())
                continue
            inner = f"{path}.{key}" if path else key
            pairs[key] = self.value(self.next(), inner, depth + 1)
        return pairs

    def key(self, event: Any, path: str, seen: Any) -> str | None:
        """Return a mapping's key, or None (a fault says why) where it is of no use."""
        line = event.start_mark.line + 1
        if not isinstance(event, yaml.ScalarEvent) or event.tag or event.anchor:
            self.skip(event)
            kind = "yaml_alias" if getattr(event, "anchor", None) else "yaml_key"
            message = "a key is not plain text"
            self.faults.append(Fault(kind, message, path or None, line))
            return None
        key: str = event.value
        inner = f"{path}.{key}" if path else key
        if key in seen:
            message = f"key {shown(inner)} stands twice"
            self.faults.append(Fault("yaml_duplicate_key", message, inner, line))
            return None
        if "\0" in key or _lone_surrogate(key) or len(key) > MAX_CELL:
            message = f"{shown(key)} is no key"
            self.faults.append(Fault("yaml_key", message, path or None, line))
            return None
        if self.record_lines:
            self.lines[inner] = line
        return key

    def _scalar(self, event: Any, path: str, line: int) -> Any:
        text: str = event.value
        fault = _text_fault(text, path, line)
        if fault is None and event.implicit[0]:
            value = _plain_value(text)
            if value is not _ABSENT:
                return value
            message = f"{path} is {shown(text)} without quotes"
            fault = Fault("yaml_unquoted", message, path, line)
        if fault is not None:
            self.faults.append(fault)
            return None
        return text


def _not_yaml(error: yaml.YAMLError) -> CannotReadOn:
    if not isinstance(error, yaml.MarkedYAMLError):
        message = f"the file is not YAML: {visible(str(error), 200)}"
        return CannotReadOn(Fault("yaml_syntax", message))
    mark = error.problem_mark or error.context_mark
    line = None if mark is None else mark.line + 1
    reason = " ".join(filter(None, (error.context, error.problem)))
    message = f"the file is not YAML: {visible(reason, 200)}"
    return CannotReadOn(Fault("yaml_syntax", message, line=line))


def _text_fault(text: str, path: str, line: int) -> Fault | None:
    if len(text) > MAX_CELL:
        message = f"{path} has {len(text)} characters; at most {MAX_CELL} fit"
        return Fault("cell_too_long", message, path, line)
    if "\0" in text:
        return Fault("nul_byte", f"{path} holds a NUL", path, line)
    if _lone_surrogate(text):
        message = f"{path} holds half of a surrogate pair"
        return Fault("yaml_syntax", message, path, line)
    return None


def _lone_surrogate(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text)


def _plain_value(text: str) -> Any:
    """Return the value of a plain scalar, or ``_ABSENT`` where versions disagree."""
    if text in _WORDS:
        return _WORDS[text]
    if not _TWO_FACED.fullmatch(text):
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and repr(float(text)) == text:
        return float(text)
    return _ABSENT


def _step(event: Any) -> int:
    if isinstance(event, yaml.CollectionStartEvent):
        return 1
    return -1 if isinstance(event, yaml.CollectionEndEvent) else 0
