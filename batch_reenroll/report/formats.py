"""The forms of ``results.csv`` that are written only where they are asked for.

Each needs a library that is not installed with the program; what is missing is said
before anything is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from importlib import import_module

from batch_reenroll.errors import UsageError
from batch_reenroll.report.facts import CampaignFacts, RowFacts


class Format(StrEnum):
    """A further form of the results, named as its file ends."""

    PARQUET = "parquet"
    XLSX = "xlsx"

    @property
    def file_name(self) -> str:
        """The file's name in the report folder."""
        return f"results.{self.value}"


FORMAT_FILES = tuple(form.file_name for form in Format)

_LIBRARIES: Mapping[Format, str] = {
    Format.PARQUET: "pyarrow",
    Format.XLSX: "xlsxwriter",
}


def require(formats: Iterable[Format]) -> None:
    """Load what ``formats`` need.

    Raises:
        UsageError: A library is not installed (code ``extra_missing``).
    """
    missing = [found for found in formats if not _loads(_LIBRARIES[found])]
    if missing:
        names = ", ".join(f"{found} needs {_LIBRARIES[found]}" for found in missing)
        raise UsageError(
            f"--format: {names}, which is not installed",
            code="extra_missing",
            hint=f"pip install 'batch-reenroll[{','.join(missing)}]'",
        )


def _loads(module: str) -> bool:
    try:
        import_module(module)
    except ImportError:
        return False
    return True


def formatted(
    form: Format, facts: CampaignFacts, rows: Iterable[RowFacts], n_rows: int
) -> Iterator[bytes]:
    """Return the results in ``form``, in chunks.

    Args:
        form: One whose library is there, see :func:`require`.
        facts: Of the campaign.
        rows: All of them, in order.
        n_rows: How many they are.

    Raises:
        UsageError: The form cannot hold so much (code ``too_large``); at once, not
            with the first chunk.
    """
    if form is Format.PARQUET:
        from batch_reenroll.report.parquet import parquet

        return parquet(facts, rows)
    from batch_reenroll.report.workbook import check_size, workbook

    check_size(facts, n_rows)
    return workbook(facts, rows, n_rows)
