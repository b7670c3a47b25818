"""The rules of a manifest: one table of stable codes, what each means, what helps.

Every :class:`~batch_reenroll.errors.Problem` that this room makes takes its code and,
unless something better is known, its hint from :data:`RULES`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from batch_reenroll.errors import Problem
from batch_reenroll.text import visible


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of fault. ``what`` completes "it means that …"."""

    what: str
    hint: str = ""


RULES: dict[str, Rule] = {
    # The file
    "file_missing": Rule("there is no such file", "check the path"),
    "file_unreadable": Rule(
        "the file cannot be read", "check that it is a file and may be read"
    ),
    "file_type_unknown": Rule(
        "the file's ending says neither CSV nor YAML",
        "name it .csv, .tsv or .txt for CSV, .yaml or .yml for YAML",
    ),
    "file_empty": Rule("the file holds nothing", "write a header and one row or more"),
    "file_changed": Rule(
        "the file changed while it was read", "run again when nobody writes to it"
    ),
    "not_utf8": Rule("the bytes are not UTF-8 text", "save the file as UTF-8"),
    "nul_byte": Rule("a NUL stands in the text", "remove it; is this a text file?"),
    # The CSV form
    "header_missing": Rule(
        "the first line names no known column",
        "begin with a header such as KeystoreId,SubjectName,AgentGuid,Alias",
    ),
    "header_duplicate_column": Rule("two columns bear one name", "keep one of them"),
    "column_unknown": Rule(
        "the column is not part of a manifest",
        "begin its name with x- to carry it to the results",
    ),
    "column_missing": Rule("a column that every row needs is missing", "add it"),
    "columns_too_many": Rule("there are more than 1,000 columns", "remove some"),
    "cell_too_long": Rule(
        "a value is longer than 65,536 characters",
        "is a closing quote missing further up?",
    ),
    "row_too_short": Rule(
        "the row has fewer cells than the header",
        "add the missing separators; empty cells count",
    ),
    "row_too_long": Rule(
        "the row has more cells than the header",
        "put a value that holds the separator into double quotes, without a space "
        "before the opening quote",
    ),
    "quote_unclosed": Rule(
        "a quoted cell has no closing quote", "close it; write a quote inside as two"
    ),
    "quote_misplaced": Rule(
        "text follows a closing quote", "write a quote inside a quoted cell as two"
    ),
    # The rows
    "no_rows": Rule("the manifest has no rows", "add one row or more"),
    "required_missing": Rule("a value that is needed is missing", "fill it in"),
    "type_wrong": Rule(
        "the value is of the wrong kind", "see the schema's description"
    ),
    "guid_invalid": Rule(
        "the value is not a GUID",
        "write it as 0f8fad5b-d9cb-469f-a165-70867728950e",
    ),
    "subject_invalid": Rule(
        "the subject is not an X.500 name",
        'write it as CN=www.example.com,O="Key Example, Inc.",C=US',
    ),
    "alias_invalid": Rule(
        "the alias holds control characters or begins or ends with white space",
        "write the alias exactly as the store's inventory shows it",
    ),
    "job_properties_invalid": Rule(
        "the job properties cannot be understood",
        'write a JSON object such as {"SiteName": "Default Web Site"}',
    ),
    "sans_invalid": Rule(
        "the subject alternative names cannot be understood",
        'write dns:a.example.com|dns:b.example.com or {"dns": ["a.example.com"]}',
    ),
    "thumbprint_invalid": Rule(
        "the value is not a thumbprint", "write 40 (SHA-1) hexadecimal digits"
    ),
    "endpoint_invalid": Rule(
        "the value is not a TLS endpoint",
        "write it as www.example.com:443, [2001:db8::1]:443, or with the server name "
        "to ask for: www.example.com@10.0.0.14:443",
    ),
    "deadline_invalid": Rule(
        "the value is not a moment in time",
        "write it as 2026-12-01T00:00:00Z, with Z or an offset",
    ),
    "enrollment_pattern_invalid": Rule(
        "the enrollment pattern is not a whole number from 1 to 2147483647",
        "write the pattern's id",
    ),
    "metadata_invalid": Rule(
        "the metadata cannot be understood",
        'write a JSON object of texts such as {"Department": "IT"}',
    ),
    "enrollment_fields_invalid": Rule(
        "the additional enrollment fields cannot be understood",
        'write a JSON object of texts such as {"Application": "web shop"}',
    ),
    "row_id_invalid": Rule("the row id is longer than 200 characters", "shorten it"),
    "control_character": Rule("a control character stands in the value", "remove it"),
    "row_id_duplicate": Rule("two rows bear one id", "give each row its own RowId"),
    "store_alias_duplicate": Rule(
        "two rows are for one store and alias", "keep one of them"
    ),
    "orchestrator_conflict": Rule(
        "one store is given two orchestrators",
        "look the store up: GET /CertificateStores names its AgentId",
    ),
    "wave_unknown": Rule(
        "the row names a wave that is not declared", "declare it under waves"
    ),
    # The YAML form
    "yaml_syntax": Rule("the file is not YAML", "check indentation and quotes"),
    "yaml_duplicate_key": Rule("a key stands twice in one mapping", "keep one of them"),
    "yaml_alias": Rule(
        "anchors and aliases are refused", "write the value out, or use defaults"
    ),
    "yaml_tag": Rule("tags are refused", "write the value in quotes instead"),
    "yaml_too_deep": Rule("the nesting is deeper than 16 levels", "flatten it"),
    "yaml_too_large": Rule("a row or a block is larger than 4 MiB", "split it"),
    "yaml_unquoted": Rule(
        "YAML versions read the value differently", "put it into quotes"
    ),
    "yaml_documents": Rule("the file holds several documents", "keep one"),
    "yaml_key": Rule("a key is not plain text", "write each key as a word"),
    "version_missing": Rule("the version is missing", "begin with version: 1"),
    "version_unsupported": Rule("this version is not known", "write version: 1"),
    "unknown_key": Rule(
        "the key is not part of a manifest",
        "remove it; in a row, a key that begins with x- is carried to the results",
    ),
    "rows_missing": Rule(
        "neither rows nor rows_from is there", "add rows: or rows_from: stores.csv"
    ),
    "rows_and_rows_from": Rule("both rows and rows_from are there", "keep one"),
    "rows_from_outside": Rule(
        "rows_from leads out of the manifest's folder",
        "put the file into that folder and name it by a relative path",
    ),
    "rows_from_missing": Rule("the file of rows_from is not there", "check its name"),
    "rows_from_not_csv": Rule(
        "rows_from does not name a CSV file", "name a .csv, .tsv or .txt file"
    ),
    # The header blocks
    "duration_invalid": Rule(
        "the value is not a length of time", "write it as 30m, 8h, 1d12h or 90s"
    ),
    "cron_invalid": Rule(
        "the value is not a cron line", "write five fields such as 0 22 * * SAT"
    ),
    "timezone_unknown": Rule(
        "the time zone is not known", "use an IANA name such as America/Chicago"
    ),
    "limit_invalid": Rule(
        "the value is neither a count nor a percentage", "write 25 or 2%"
    ),
    "number_invalid": Rule("the number is out of range", "write one within it"),
    "window_too_short": Rule(
        "a window is not longer than its cutoff", "lengthen it or shorten the cutoff"
    ),
    "window_too_long": Rule(
        "a window is longer than a year", "leave windows out to submit at any time"
    ),
    "blackout_reversed": Rule("a blackout ends before it begins", "swap them"),
    "authority_duplicate": Rule(
        "a CA is named twice; upper and lower case are the same", "keep one of them"
    ),
    "wave_duplicate": Rule("two waves bear one name", "rename one"),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault before it is known where it stands.

    Attributes:
        code: A key of :data:`RULES`.
        message: What is wrong.
        column: The field, or None.
        line: 1-based line where it differs from the row's, or None.
        hint: Better advice than the rule's, or None.
    """

    code: str
    message: str
    column: str | None = None
    line: int | None = None
    hint: str | None = None


def problem_of(
    fault: Fault, *, file: str, line: int | None = None, row_id: str | None = None
) -> Problem:
    """Return ``fault`` with its place; the fault's own line wins over ``line``."""
    hint = RULES[fault.code].hint if fault.hint is None else fault.hint
    return Problem(
        code=fault.code,
        # Messages name paths made of the user's own keys.
        message=visible(fault.message, 600),
        file=file,
        line=fault.line if fault.line is not None else line,
        column=None if fault.column is None else visible(fault.column, 80),
        row_id=None if row_id is None else visible(row_id, 80),
        hint=hint,
    )


class CannotReadOn(Exception):
    """Nothing can be read after this fault. Never leaves this room."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def shown(value: object) -> str:
    """Return ``value`` in quotes on one line, cut after 80 characters."""
    return f"'{visible(str(value), 80)}'"


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """Return ``did you mean X?`` for the known name nearest to ``name``, or None."""
    by_folded = {word.casefold(): word for word in known}
    near = get_close_matches(name.casefold()[:80], by_folded, n=1, cutoff=0.75)
    return f"did you mean {by_folded[near[0]]}?" if near else None
