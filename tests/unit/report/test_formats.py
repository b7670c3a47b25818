"""``results.parquet`` and ``results.xlsx``, read back as analysts read them."""

from __future__ import annotations

import hashlib
import io
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from openpyxl import load_workbook  # type: ignore[import-untyped]
from openpyxl.utils.escape import (  # type: ignore[import-untyped]
    unescape,
)
from unit.report.reading import sheet
from unit.report.synthetic import INPUT_COLUMNS, fleet, report_of, row

from batch_reenroll.cli.evidence import ReportFolder
from batch_reenroll.errors import UsageError
from batch_reenroll.evidence import Faults, check_folder
from batch_reenroll.report import (
    RESULT_COLUMNS,
    Format,
    ReportInput,
    RowFacts,
    render,
    write_folder,
)
from batch_reenroll.report import workbook as workbook_module
from batch_reenroll.report.formats import require
from batch_reenroll.report.sheets import MAX_CELL
from batch_reenroll.report.typed import TIMES, WHOLE_NUMBERS

BOTH = tuple(Format)


def made(report: ReportInput, form: Format) -> bytes:
    files = {name: b"".join(chunks) for name, chunks in render(report, None, (form,))}
    return files[form.file_name]


def frame(report: ReportInput, form: Format) -> pd.DataFrame:
    content = io.BytesIO(made(report, form))
    if form is Format.PARQUET:
        return pd.read_parquet(content)
    # Texts as they stand there, not as pandas takes them: "0012" is no number.
    columns = [*report.facts.input_columns, *RESULT_COLUMNS]
    typed = {*TIMES, *WHOLE_NUMBERS, "duration_s"}
    texts = {name: object for name in columns if name not in typed}
    found = pd.read_excel(content, dtype=texts, keep_default_na=False, na_values=[""])
    # ECMA-376 part 1, 22.9.2.19: _xHHHH_ is a character; openpyxl leaves it undone.
    return found.map(lambda cell: unescape(cell) if isinstance(cell, str) else cell)


def only(report: ReportInput, form: Format) -> dict[str, Any]:
    (line,) = frame(report, form).to_dict("records")
    return {str(name): value for name, value in line.items()}


@pytest.mark.parametrize("form", BOTH)
def test_a_form_has_the_columns_and_rows_of_results_csv(form: Format) -> None:
    report = fleet(60)
    found = frame(report, form)
    files = {name: b"".join(chunks) for name, chunks in render(report)}
    header, lines = sheet(files["results.csv"])
    assert list(found.columns) == header == [*INPUT_COLUMNS, *RESULT_COLUMNS]
    for name in ("Alias", "outcome", "orchestrator", "message", "job_id"):
        assert found[name].fillna("").tolist() == [line[name] for line in lines]
    for name in WHOLE_NUMBERS - {"attempts"}:
        said = ["" if pd.isna(n) else str(int(n)) for n in found[name]]
        assert said == [line[name] for line in lines]
    assert found["attempts"].tolist() == [int(line["attempts"] or 0) for line in lines]


@pytest.mark.parametrize("form", BOTH)
def test_times_are_moments_in_utc_and_durations_numbers(form: Format) -> None:
    report = report_of(
        [row(1, finished_at="2026-11-21T22:00:07.250Z", duration_s=61.5, attempts=2)]
    )
    found = frame(report, form)
    assert all(found[name].dtype.kind in "Mf" for name in TIMES)
    moment = found["finished_at"][0]
    assert pd.Timestamp(moment.replace(tzinfo=None)) == pd.Timestamp(
        "2026-11-21 22:00:07.250"
    )
    assert (found["duration_s"][0], found["attempts"][0]) == (61.5, 2)


def test_parquet_times_know_that_they_are_utc() -> None:
    found = frame(fleet(5), Format.PARQUET)
    assert {str(found[name].dtype) for name in TIMES} == {"datetime64[ms, UTC]"}


@pytest.mark.parametrize(
    "text",
    [
        "=cmd|' /C calc'!A0",
        "@x",
        "https://evil.example.com/",
        "mailto:x@example.com",
        "0012",
        "1e5",
        "{=1}",
        "_x000D_",
        "NA",
        " padded ",
        "]]><&",
    ],
)
@pytest.mark.parametrize("form", BOTH)
def test_a_text_is_that_text_whatever_it_looks_like(form: Format, text: str) -> None:
    cells = [text, *[""] * 7]
    line = only(report_of([row(1, "failed", cells=cells, message=text)]), form)
    assert (line["KeystoreId"], line["message"]) == (text, text)


def test_no_cell_of_the_workbook_is_a_formula_or_a_link() -> None:
    cells = ["=1+1", "http://x", *[""] * 6]
    report = report_of([row(1, "failed", cells=cells, message="=HYPERLINK(1)")])
    (found,) = load_workbook(io.BytesIO(made(report, Format.XLSX))).worksheets
    kinds = {cell.data_type for line in found.iter_rows() for cell in line}
    assert kinds <= {"s", "inlineStr", "n"}
    assert not [c for line in found.iter_rows() for c in line if c.hyperlink]
    assert found.freeze_panes == "A2"


@pytest.mark.parametrize("form", BOTH)
def test_what_is_of_another_type_is_empty_rather_than_wrong(form: Format) -> None:
    line = only(
        report_of(
            [row(1, http_status="no", job_history_id="9" * 5_000, finished_at="soon")]
        ),
        form,
    )
    for name in ("http_status", "job_history_id", "finished_at"):
        assert pd.isna(line[name])


@pytest.mark.parametrize("text", ["x" * 1_000_000, "\U0001f600" * 40_000])
def test_a_cell_beyond_excels_limit_is_cut_visibly(text: str) -> None:
    report = report_of([row(1, "failed", cells=[text, *[""] * 7], message=text)])
    line = only(report, Format.XLSX)
    for cell in (line["KeystoreId"], line["message"]):
        assert isinstance(cell, str)
        assert len(cell.encode("utf-16-le")) // 2 <= MAX_CELL
        assert "characters)" in cell[-40:]


@pytest.mark.parametrize("time", ["1601-01-01T00:00:00.000Z", "1899-12-31T00:00:00Z"])
def test_a_time_before_excels_first_day_is_text(time: str) -> None:
    assert only(report_of([row(1, finished_at=time)]), Format.XLSX)["finished_at"] == (
        time[:10] + " 00:00:00+00:00"
    )


def test_too_many_rows_for_a_sheet_are_refused_before_a_file_is_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(workbook_module, "MAX_ROWS", 5)
    write_folder(tmp_path, fleet(4), formats=BOTH)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(UsageError, match="5 rows and 31 columns") as caught:
        write_folder(tmp_path, fleet(5), formats=BOTH)
    assert (caught.value.code, caught.value.exit_code) == ("too_large", 2)
    assert "parquet" in caught.value.hint
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_library_that_is_missing_is_named_with_the_extra(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("pyarrow", "xlsxwriter"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError) as caught:
        write_folder(tmp_path / "r", fleet(3), formats=BOTH)
    assert (caught.value.code, caught.value.exit_code) == ("extra_missing", 2)
    assert "batch-reenroll[parquet,xlsx]" in caught.value.hint
    assert not (tmp_path / "r").exists()


def test_without_a_format_neither_library_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    require(())


def test_the_evidence_covers_the_forms_and_the_folder_verifies(tmp_path: Path) -> None:
    write_folder(tmp_path, fleet(20), formats=BOTH)
    files = json.loads((tmp_path / "evidence.json").read_text())["files"]
    page = (tmp_path / "report.html").read_text()
    for form in BOTH:
        content = (tmp_path / form.file_name).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        assert files[form.file_name] == {"sha256": digest, "bytes": len(content)}
        assert digest in page


def test_a_changed_form_is_found(tmp_path: Path) -> None:
    write_folder(tmp_path, fleet(20), formats=BOTH)
    path = tmp_path / "results.xlsx"
    path.write_bytes(path.read_bytes() + b"x")
    faults = Faults()
    check_folder(ReportFolder(tmp_path), faults)
    assert [f for f in faults.kept if "results.xlsx" in str(f)]


def test_a_form_that_is_not_written_again_is_taken_away(tmp_path: Path) -> None:
    write_folder(tmp_path, fleet(5), formats=BOTH)
    write_folder(tmp_path, fleet(5), formats=[Format.PARQUET])
    assert (tmp_path / "results.parquet").exists()
    assert not (tmp_path / "results.xlsx").exists()


@pytest.mark.parametrize("form", BOTH)
def test_a_failure_half_way_leaves_the_old_form_whole(
    tmp_path: Path, form: Format
) -> None:
    write_folder(tmp_path, fleet(5), formats=[form])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    report = fleet(9)
    passes = iter(range(99))

    def rows() -> Iterator[RowFacts]:
        # The pass of the form begins right behind the survey's.
        broken = next(passes) == 1
        for found in report.rows():
            if broken and found.row_no > 3:
                raise OSError(28, "No space left on device")
            yield found

    with pytest.raises(UsageError, match="No space left"):
        write_folder(tmp_path, replace(report, rows=rows), formats=[form])
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("form", BOTH)
def test_the_same_input_gives_the_same_bytes(form: Format) -> None:
    assert made(fleet(30), form) == made(fleet(30), form)


@pytest.mark.parametrize("form", BOTH)
def test_a_campaign_without_rows_has_a_form_with_its_columns(form: Format) -> None:
    found = frame(report_of([]), form)
    assert list(found.columns) == [*INPUT_COLUMNS, *RESULT_COLUMNS]
    assert len(found) == 0


def test_parquet_is_written_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batch_reenroll.report.parquet.ROWS_PER_GROUP", 7)
    found = frame(fleet(20), Format.PARQUET)
    assert found["Alias"].tolist() == [f"web-{n}" for n in range(1, 21)]
