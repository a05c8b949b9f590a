"""Answers to a user's CSV or JSONL file, whole or not at all; no cell of a CSV is a formula to a spreadsheet."""

import csv
import io
import json
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from brand_voice.errors import InputError
from brand_voice.records import Answer, Finding

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet takes a cell that begins so for a formula."""
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""IPTC's machine-readable mark of generated text (EU AI Act, Article 50(2))."""
EDITED_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""The mark of generated text that a person edited."""


def check_output(path: Path, *, source: Path) -> None:
    """Find out before a long job whether its answers can be written.

    Raises:
        InputError: neither .csv nor .jsonl, no such folder or none to write to, or it is the input file.
    """
    if path.suffix.lower() not in {".csv", ".jsonl"}:
        raise InputError(f"cannot tell a format from {path.name!r}", remedy="name the output *.csv or *.jsonl")
    if not path.parent.is_dir():
        raise InputError(f"there is no folder {path.parent}", remedy=f"mkdir -p {path.parent}")
    if path.resolve() == source.resolve():
        raise InputError(f"{path} is the input file", remedy="give --out another name")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as exc:
        raise InputError(f"cannot write to {path.parent}: {exc.strerror}", remedy="give --out another folder") from exc


def write_answers(path: Path, answers: Sequence[Answer]) -> None:
    """Write answers as CSV or JSONL, by suffix, whole or not at all.

    Raises:
        InputError: the file cannot be written.
    """
    write_whole(path, _answers_csv(answers) if path.suffix.lower() == ".csv" else _answers_jsonl(answers))


def table_csv(columns: Iterable[str], rows: Iterable[Mapping[str, object]]) -> str:
    """The text of a CSV."""
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, list(columns))
    writer.writeheader()
    writer.writerows({name: cell(value) for name, value in row.items()} for row in rows)
    return stream.getvalue()


def findings_cell(findings: Iterable[Finding]) -> str:
    """Findings as a CSV tells them, one a line."""
    return "\n".join(f"{finding.severity} {finding.rule}: {finding.message}" for finding in findings)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        InputError: it cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with partial.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except OSError as exc:
        partial.unlink(missing_ok=True)
        remedy = "choose another file: what was written is in the workspace, a re-run only makes the file"
        raise InputError(f"cannot write {path}: {exc.strerror}", remedy=remedy) from exc


def _answers_jsonl(answers: Sequence[Answer]) -> bytes:
    lines = [json.dumps(_fields(answer), ensure_ascii=False) + "\n" for answer in answers]
    return "".join(lines).encode()


def _answers_csv(answers: Sequence[Answer]) -> bytes:
    rows = [_fields(answer) | {"findings": findings_cell(answer.findings)} for answer in answers]
    columns = _fields(Answer(job_id="", row=0, id="", status="ok"))
    return table_csv(columns, rows).encode("utf-8-sig")  # without the mark, Excel reads UTF-8 as its local code page


def _fields(answer: Answer) -> dict[str, Any]:
    fields = answer.model_dump(mode="json", exclude={"job_id"})
    return {**fields, "digital_source_type": SOURCE_TYPE if answer.text else None}


def cell(value: object) -> object:
    """A value that no spreadsheet takes for a formula."""
    is_formula = isinstance(value, str) and value.startswith(FORMULA_STARTS)
    return f"'{value}" if is_formula else value
