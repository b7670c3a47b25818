"""What a type alone does not say of a JSON value, and the types that say it.

In an annotation, they are for ``schemas`` to read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

from batch_reenroll.sandbox.dialects import Dialect
from batch_reenroll.sandbox.state import RESULT_NAMES, STATUS_NAMES


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a type alone does not say, in the words of JSON Schema.

    Attributes:
        format: Of a string.
        pattern: Of a string, in ECMA 262 as well as in Python.
        low, high: Bounds of a number, both included.
        least, most: Bounds of the length of a string or an array, both included.
        values: All that there are.
    """

    format: str | None = None
    pattern: str | None = None
    low: int | None = None
    high: int | None = None
    least: int | None = None
    most: int | None = None
    values: tuple[int | str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Spoken:
    """The type that a value has in one dialect."""

    by: Callable[[Dialect], object]


@dataclass(frozen=True, slots=True)
class Where:
    """In which dialects a key is known at all."""

    known: Callable[[Dialect], bool]


def _coded(names: Mapping[int, str], named: Callable[[Dialect], bool]) -> Spoken:
    """Return the type of numbers that some dialects send by their names."""
    numbers = Annotated[int, Rule(values=tuple(names))]
    words = Annotated[str, Rule(values=tuple(names.values()))]
    return Spoken(lambda dialect: words if named(dialect) else numbers)


_ALIAS = {0: "Forbidden", 1: "Optional", 2: "Required"}
_DATA = {0: "String", 1: "Bool", 2: "MultipleChoice", 3: "Secret"}
_STYLE = {0: "Default", 1: "ServerDefault"}

Guid = Annotated[str, Rule(format="uuid")]
Text = Annotated[str, Rule(least=1)]
#: Single values alone, as the SDKs have them: 0 none, 1 PFX, 2 CSR, 4 generated CSR.
EnrollmentTypes = Annotated[int, Rule(values=(0, 1, 2, 4))]
StoreTypeId = Annotated[int, Rule(low=0, high=999_999_999)]
Int32 = Annotated[int, Rule(low=-(2**31), high=2**31 - 1)]
Int64 = Annotated[int, Rule(low=-(2**63), high=2**63 - 1)]
Zoned = Annotated[str, Rule(format="date-time")]
Zoneless = Annotated[str, Rule(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}$")]
Time = Annotated[
    str, Spoken(lambda dialect: Zoned if dialect.zone_suffix else Zoneless)
]
Result = Annotated[int | str, _coded(RESULT_NAMES, lambda of: of.result_names)]
Status = Annotated[int | str, _coded(STATUS_NAMES, lambda of: of.result_names)]
Policy = Annotated[int | str, _coded(_ALIAS, lambda of: of.type_names)]
DataType = Annotated[int | str, _coded(_DATA, lambda of: of.type_names)]
PasswordStyle = Annotated[int | str, _coded(_STYLE, lambda of: of.type_names)]
