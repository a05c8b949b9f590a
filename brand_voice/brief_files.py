"""Briefs from a user's CSV or JSONL file, answers back to one: the only place that knows these formats.

A row that cannot be used is data (`Row.problem`), so that one bad cell does not cost the other rows; a file that is no
such thing is an `InputError`. CSV may carry a byte-order mark and be separated by commas, semicolons or tabs, as
spreadsheets write it; a column nobody knows is refused, because it may be a misspelt `must_include`. JSONL rows have
the brief schema of `data/brands/*/briefs.jsonl`.
"""

import csv
import difflib
import io
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from brand_voice.errors import InputError
from brand_voice.guide import Brand
from brand_voice.records import Answer, Brief, BriefProduct, Product, Record

COLUMNS = (
    "id",
    "channel",
    "locale",
    "sku",
    "product_name",
    "category",
    "facts",
    "audience",
    "key_message",
    "offer",
    "occasion",
    "cta",
    "must_include",
)
REQUIRED = ("channel", "locale", "key_message")
"""Besides one of `sku` and `product_name`."""
LIST_MARK = "|"
DEFAULT_CATEGORY = "product"
"""Of a product that is neither in the catalogue nor given a `category`."""
MAX_FILE_BYTES = 64 * 2**20
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet takes a cell that begins so for a formula."""
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""IPTC's machine-readable mark of generated text (EU AI Act, Article 50(2))."""
_TEMPLATE_REMEDY = "`brand-voice write --template` prints an example"


class Row(Record):
    """One row of an input file: a brief, or the problem that kept it from being one."""

    index: int
    """Position among the rows that are not blank, from 0."""
    id: str
    """The row's own id, or its number from 1."""
    brief: Brief | None = None
    problem: str | None = None


def read_briefs(path: Path, *, brand: Brand, products: Sequence[Product]) -> list[Row]:
    """Read a file of briefs for `brand`; bad rows come back with their problem, in place.

    Raises:
        InputError: unreadable, over 64 MiB, not UTF-8, empty, neither CSV nor JSONL, or wrong columns.
    """
    text = _text(path)
    is_jsonl = path.suffix.lower() in {".jsonl", ".ndjson"} or text.lstrip().startswith("{")
    rows = list(_jsonl_rows(text, path) if is_jsonl else _csv_rows(text, path, brand, products))
    if not rows:
        raise InputError(f"{path} holds no briefs", remedy=_TEMPLATE_REMEDY)
    return _without_duplicates(row if row.problem else _checked(row, brand) for row in rows)


def template(brand: Brand, products: Sequence[Product]) -> str:
    """A CSV of two example rows: one names a product of the catalogue, one describes its own."""
    channels = list(brand.channels)
    shared: dict[str, str] = {"audience": brand.audience[0].id if brand.audience else ""}
    product = products[0] if products else BriefProduct(name="Sample Product", category="sample")
    message = product.benefits[0] if isinstance(product, Product) and product.benefits else "the one thing to say"
    own = {"product_name": "Sample Product", "category": product.category, "facts": "first fact|second fact"}
    known = {"sku": product.sku} if product.sku else own
    rows = [
        {"id": "row-1", "channel": channels[0], "locale": brand.locales[0], **known, **shared, "key_message": message},
        {"id": "row-2", "channel": channels[-1], "locale": brand.locales[-1], **own, **shared, "key_message": message},
    ]
    rows[1] |= {"offer": "10% off through Sunday", "must_include": "Sample Product|10% off"}
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def check_output(path: Path, *, source: Path) -> None:
    """Find out before a long job whether its answers can be written.

    Raises:
        InputError: neither .csv nor .jsonl, no such folder, or it is the input file.
    """
    if path.suffix.lower() not in {".csv", ".jsonl"}:
        raise InputError(f"cannot tell a format from {path.name!r}", remedy="name the output *.csv or *.jsonl")
    if not path.parent.is_dir():
        raise InputError(f"there is no folder {path.parent}", remedy=f"mkdir -p {path.parent}")
    if path.resolve() == source.resolve():
        raise InputError(f"{path} is the input file", remedy="give --out another name")


def write_answers(path: Path, answers: Sequence[Answer]) -> None:
    """Write answers as CSV or JSONL, by suffix, whole or not at all.

    Raises:
        InputError: the file cannot be written.
    """
    content = _answers_csv(answers) if path.suffix.lower() == ".csv" else _answers_jsonl(answers)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with partial.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except OSError as exc:
        partial.unlink(missing_ok=True)
        remedy = "choose another --out: the answers are in the workspace, a re-run only writes the file"
        raise InputError(f"cannot write {path}: {exc.strerror}", remedy=remedy) from exc


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InputError(f"{path} is over {MAX_FILE_BYTES // 2**20} MiB", remedy="split it")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as exc:
        raise InputError(f"cannot read {path}: {exc.strerror}", remedy="check the path") from exc
    except UnicodeDecodeError as exc:
        raise InputError(f"{path} is not UTF-8: {exc.reason} at byte {exc.start}", remedy="save it as UTF-8") from exc
    if not text.strip():
        raise InputError(f"{path} is empty", remedy=_TEMPLATE_REMEDY)
    return text


def _jsonl_rows(text: str, path: Path) -> Iterator[Row]:
    lines = [line for line in text.split("\n") if line.strip()]  # splitlines would cut at U+2028 inside a string
    if not any(line.lstrip().startswith("{") for line in lines):
        raise InputError(f"{path} is not JSONL: no line is a JSON object", remedy="one brief per line, or a CSV")
    for index, line in enumerate(lines):
        try:
            brief = Brief.model_validate_json(line)
        except ValidationError as exc:
            yield Row(index=index, id=str(index + 1), problem=_complaint(exc, {}))
        else:
            yield Row(index=index, id=brief.id, brief=brief)


def _csv_rows(text: str, path: Path, brand: Brand, products: Sequence[Product]) -> Iterator[Row]:
    csv.field_size_limit(MAX_FILE_BYTES)  # a huge cell is that row's problem, not the file's
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    catalogue = _Catalogue(products)
    try:
        header = _header(next((cells for cells in reader if cells), []), path)
        records = (cells for cells in reader if any(cell.strip() for cell in cells))
        for index, cells in enumerate(records):
            yield _csv_row(index, header, cells, brand, catalogue)
    except csv.Error as exc:
        raise InputError(
            f"{path}, line {reader.line_num}: {exc}", remedy="close the quotes, or save it from a spreadsheet as CSV"
        ) from exc


def _delimiter(text: str) -> str:
    """The separator under which the first line holds most known columns."""

    def known(delimiter: str) -> int:
        first_line = text.lstrip().partition("\n")[0]
        return sum(_column(name) in COLUMNS for name in first_line.split(delimiter))

    return max(",;\t", key=known)


def _column(name: str) -> str:
    return name.strip().strip('"').strip().lower().replace(" ", "_")


def _header(cells: list[str], path: Path) -> list[str]:
    header = [_column(cell) for cell in cells]
    faults = {
        "missing": [column for column in REQUIRED if column not in header],
        "unknown": [_seen(column) for column in header if column not in COLUMNS],
        "twice": sorted({column for column in header if header.count(column) > 1}),
    }
    if not {"sku", "product_name"} & set(header):
        faults["missing"].append("sku or product_name")
    told = "; ".join(f"{fault}: {', '.join(columns)}" for fault, columns in faults.items() if columns)
    if told:
        raise InputError(f"{path}: wrong columns ({told}); known: {', '.join(COLUMNS)}", remedy=_TEMPLATE_REMEDY)
    return header


class _Catalogue:
    """The brand's products by SKU and by name."""

    def __init__(self, products: Sequence[Product]) -> None:
        self._by_sku = {p.sku: p for p in products if p.sku}
        self._by_name = {p.name.casefold(): p for p in products}

    def product(self, cells: dict[str, str]) -> dict[str, Any]:
        """Fields of a `BriefProduct`; ValueError with what is wrong about the cells."""
        sku, name = cells.get("sku"), cells.get("product_name")
        if not sku and not name:
            raise ValueError("sku, product_name: both empty; expected one of them")
        listed = self._listed(sku) if sku else self._by_name.get((name or "").casefold())
        if sku and listed and name and name.casefold() != listed.name.casefold():
            raise ValueError(f"product_name: saw {_seen(name)}; {sku} is {listed.name!r}")
        facts = _items(cells.get("facts"))
        if listed is None:
            return {"name": name, "category": cells.get("category") or DEFAULT_CATEGORY, "facts": facts}
        category = cells.get("category") or listed.category
        return {"sku": listed.sku, "name": listed.name, "category": category, "facts": facts or listed.facts}

    def _listed(self, sku: str) -> Product:
        if sku in self._by_sku:
            return self._by_sku[sku]
        nearest = difflib.get_close_matches(sku[:80], list(self._by_sku), n=1)
        hint = f", for example {nearest[0]}" if nearest else ""
        raise ValueError(f"sku: saw {_seen(sku)}; expected one of the catalogue's {len(self._by_sku)}{hint}")


def _csv_row(index: int, header: list[str], cells: list[str], brand: Brand, catalogue: _Catalogue) -> Row:
    values = {column: cell.strip() for column, cell in zip(header, cells, strict=False) if cell.strip()}
    row_id = values.get("id", str(index + 1))
    if any(cell.strip() for cell in cells[len(header) :]):  # too few is fine: spreadsheets leave empty ends out
        problem = f"saw {len(cells)} cells; expected {len(header)}: quote a cell that holds commas"
        return Row(index=index, id=row_id[:80], problem=problem)
    plain = ("channel", "locale", "audience", "key_message", "offer", "occasion", "cta")
    try:
        brief = Brief.model_validate(
            {
                **{column: values.get(column) for column in plain},
                "id": row_id,
                "brand": brand.id,
                "product": catalogue.product(values),
                "must_include": _items(values.get("must_include")),
            }
        )
    except ValidationError as exc:
        return Row(index=index, id=row_id[:80], problem=_complaint(exc, {"product.name": "product_name"}))
    except ValueError as exc:
        return Row(index=index, id=row_id[:80], problem=str(exc))
    return Row(index=index, id=row_id, brief=brief)


def _items(cell: str | None) -> tuple[str, ...]:
    return tuple(item.strip() for item in (cell or "").split(LIST_MARK) if item.strip())


def _checked(row: Row, brand: Brand) -> Row:
    """Hold a brief against the brand's guide."""
    brief = row.brief
    if brief is None:
        return row
    audiences = [audience.id for audience in brand.audience]
    known: list[tuple[str, str | None, Sequence[str]]] = [
        ("brand", brief.brand, [brand.id]),
        ("channel", brief.channel, list(brand.channels)),
        ("locale", brief.locale, brand.locales),
        ("audience", brief.audience, audiences),
    ]
    faults = [
        f"{column}: saw {_seen(value)}; expected {', '.join(allowed) or 'none'}"
        for column, value, allowed in known
        if value is not None and value not in allowed
    ]
    return Row(index=row.index, id=row.id, problem="; ".join(faults)) if faults else row


def _without_duplicates(rows: Iterator[Row]) -> list[Row]:
    """The first row of an id stands; every later one is told which."""
    first: dict[str, int] = {}
    told = []
    for row in rows:
        number = first.setdefault(row.id, row.index + 1)
        is_first = number == row.index + 1
        problem = f"id: saw {_seen(row.id)} again; row {number} has it"
        told.append(row if is_first else Row(index=row.index, id=row.id, problem=row.problem or problem))
    return told


def _complaint(exc: ValidationError, columns: dict[str, str]) -> str:
    """What is wrong with a row: place, message, value seen."""
    faults = []
    for error in exc.errors()[:3]:
        names = [str(part) for part in error["loc"] if not isinstance(part, int)]
        place = columns.get(".".join(names), names[-1] if columns and names else ".".join(names))
        is_absent = error["type"] == "missing" or error["input"] in (None, "")
        seen = "nothing" if is_absent else _seen(error["input"])
        faults.append(f"{place or 'line'}: saw {seen}; {error['msg'][0].lower()}{error['msg'][1:]}")
    return "; ".join(faults)


def _seen(value: object) -> str:
    told = repr(value)
    return told if len(told) <= 60 else f"{told[:60]}... ({len(told):,} characters)"


def _answers_jsonl(answers: Sequence[Answer]) -> bytes:
    lines = [json.dumps(_fields(answer), ensure_ascii=False) + "\n" for answer in answers]
    return "".join(lines).encode()


def _answers_csv(answers: Sequence[Answer]) -> bytes:
    rows = [_fields(answer) for answer in answers]
    for row in rows:
        row["findings"] = "\n".join(f"{f['severity']} {f['rule']}: {f['message']}" for f in row["findings"])
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(_fields(Answer(job_id="", row=0, id="", status="ok")))
    writer.writerows([_cell(value) for value in row.values()] for row in rows)
    return stream.getvalue().encode("utf-8-sig")  # without the mark, Excel reads UTF-8 as its local code page


def _fields(answer: Answer) -> dict[str, Any]:
    fields = answer.model_dump(mode="json", exclude={"job_id"})
    return {**fields, "digital_source_type": SOURCE_TYPE if answer.text else None}


def _cell(value: object) -> object:
    is_formula = isinstance(value, str) and value.startswith(FORMULA_STARTS)
    return f"'{value}" if is_formula else value
