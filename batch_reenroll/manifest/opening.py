"""From a path to an opened manifest: which form it has, which files it is made of."""

from __future__ import annotations

from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from batch_reenroll.errors import ManifestRejected, Problem
from batch_reenroll.manifest.columns import missing_columns
from batch_reenroll.manifest.csv_file import CsvFile
from batch_reenroll.manifest.header import EMPTY, Header, build_header
from batch_reenroll.manifest.manifest import Manifest
from batch_reenroll.manifest.rows import ManifestRow
from batch_reenroll.manifest.rules import CannotReadOn, Fault, problem_of, shown
from batch_reenroll.manifest.source import Opener

if TYPE_CHECKING:
    from batch_reenroll.manifest.yaml_file import Survey

_CSV_ENDINGS = {".csv", ".tsv", ".txt"}
_YAML_ENDINGS = {".yaml", ".yml"}


def open_manifest(path: PurePath, opener: Opener) -> Manifest:
    """Open a manifest and read its header.

    Args:
        path: Its name; the ending says whether it is CSV or YAML.
        opener: Opens files for reading bytes. It is called for ``path`` and, with
            ``rows_from``, for a file below ``path.parent`` whose name holds neither
            ``..`` nor a root; that symbolic links do not lead out of that folder
            either is for the opener to check, raising
            :class:`~batch_reenroll.manifest.source.OutsideFolder`. Each file is opened
            twice, that of the rows once more where ``check`` finds rows that may have
            a twin, and closed every time.

    Raises:
        ManifestRejected: Nothing can be read beyond the faults found; it holds all.
    """
    try:
        return _open_by_ending(path, opener)
    except CannotReadOn as stop:
        raise ManifestRejected([problem_of(stop.fault, file=str(path))]) from None


def read_all(path: PurePath, opener: Opener) -> tuple[Manifest, list[ManifestRow]]:
    """Return the manifest and all its rows.

    Raises:
        ManifestRejected: It has faults; all of them, in file order.
    """
    manifest = open_manifest(path, opener)
    rows = list(manifest.rows())
    if manifest.problems:
        raise ManifestRejected(manifest.problems)
    return manifest, rows


def _open_by_ending(path: PurePath, opener: Opener) -> Manifest:
    ending = path.suffix.lower()
    if ending in _CSV_ENDINGS:
        return _open_csv(path, opener)
    if ending in _YAML_ENDINGS:
        return _open_yaml(path, opener)
    message = f"{shown(path)} ends in {shown(ending) if ending else 'nothing'}"
    raise CannotReadOn(Fault("file_type_unknown", message))


def _open_csv(path: PurePath, opener: Opener) -> Manifest:
    file = CsvFile(path, opener)
    problems, missing = _csv_problems(file, EMPTY, str(path))
    return Manifest(
        name=str(path),
        columns=file.layout.columns,
        header=EMPTY,
        problems=problems,
        source=file,
        rows_file=str(path),
        rows_line=file.layout.line,
        excused=missing,
    )


def _csv_problems(
    file: CsvFile, header: Header, name: str
) -> tuple[list[Problem], frozenset[str]]:
    """Return the problems of a CSV header, and the columns it lacks."""
    given = {*file.layout.keys, *header.defaults, *header.unusable_defaults}
    missing = missing_columns(given)
    faults = list(file.header_faults)
    for column in missing:
        message = f"column {column} is missing"
        hint = None
        if column == "KeystoreId":
            message += ", and so are ClientMachine and StorePath"
            hint = "add KeystoreId, or both ClientMachine and StorePath"
        faults.append(Fault("column_missing", message, column, hint=hint))
    line = file.layout.line
    problems = [problem_of(fault, file=name, line=line) for fault in faults]
    return problems, frozenset(missing)


def _open_yaml(path: PurePath, opener: Opener) -> Manifest:
    # A CSV manifest is read without the YAML library.
    from batch_reenroll.manifest.yaml_file import YamlFile

    file = YamlFile(path, opener)
    survey = file.survey
    header, header_faults = build_header(survey.document)
    # What the YAML reader refused stands as null in the document: said once.
    refused = {fault.column for fault in survey.faults}
    faults = [*survey.faults, *_document_faults(survey)]
    faults += [fault for fault in header_faults if fault.column not in refused]
    problems = [
        problem_of(fault, file=str(path), line=survey.line_of(fault.column))
        for fault in faults
    ]
    if survey.broken is not None:
        problems.append(problem_of(survey.broken, file=str(path)))
    if survey.rows_line is None:
        return _open_rows_from(path, opener, survey, header, problems)
    return Manifest(
        name=str(path),
        columns=survey.columns,
        header=header,
        problems=problems,
        source=file,
        rows_file=str(path),
        rows_line=survey.rows_line,
        known_stop=survey.broken,
    )


def _document_faults(survey: Survey) -> list[Fault]:
    """Return what is wrong with the choice of top-level keys."""
    faults = []
    if "version" not in survey.document and survey.broken is None:
        faults.append(Fault("version_missing", "version is missing", "version"))
    if survey.rows_line is not None and "rows_from" in survey.document:
        message = "rows and rows_from are both there"
        faults.append(Fault("rows_and_rows_from", message, "rows_from"))
    if survey.rows_line is None and "rows_from" not in survey.document:
        faults.append(Fault("rows_missing", "rows are missing", "rows"))
    return faults


def _open_rows_from(
    path: PurePath,
    opener: Opener,
    survey: Survey,
    header: Header,
    problems: list[Problem],
) -> Manifest:
    """Open the CSV file that holds the rows.

    Raises:
        ManifestRejected: There is none, or its header cannot be read.
    """
    name = survey.document.get("rows_from")
    line = survey.line_of("rows_from")
    if not isinstance(name, str) or not name:
        raise ManifestRejected(problems)
    rows_path = path.parent / name
    fault = _rows_from_fault(name)
    if fault is None:
        try:
            file = CsvFile(rows_path, opener)
        except CannotReadOn as stop:
            fault = stop.fault
        else:
            found, missing = _csv_problems(file, header, str(rows_path))
            return Manifest(
                name=str(path),
                columns=file.layout.columns,
                header=header,
                problems=problems + found,
                source=file,
                rows_file=str(rows_path),
                rows_line=file.layout.line,
                excused=missing,
                own_digest=survey.digest,
            )
    if fault.code == "file_missing":
        fault = Fault("rows_from_missing", fault.message, "rows_from")
    here = fault.column == "rows_from"
    place = str(path) if here else str(rows_path)
    found = [problem_of(fault, file=place, line=line if here else None)]
    raise ManifestRejected(problems + found)


def _rows_from_fault(name: str) -> Fault | None:
    """Return why ``name`` may not be opened, on whatever system; or None."""
    for flavour in (PurePosixPath(name), PureWindowsPath(name)):
        if flavour.anchor or ".." in flavour.parts:
            message = f"rows_from is {shown(name)}: it leads out of the folder"
            return Fault("rows_from_outside", message, "rows_from")
    if PurePosixPath(name).suffix.lower() not in _CSV_ENDINGS:
        message = f"rows_from is {shown(name)}: it is not a CSV file by its ending"
        return Fault("rows_from_not_csv", message, "rows_from")
    return None
