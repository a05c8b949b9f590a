"""Briefs, and copy that people wrote, from a user's CSV or JSONL file.

A row that cannot be used is data (`Row.problem`), so that one bad cell does not cost the other rows; a file that is no
such thing is an `InputError`. CSV may carry a byte-order mark and be separated by commas, semicolons or tabs, as
spreadsheets write it; a column nobody knows is refused, because it may be a misspelt `must_include`. JSONL rows have
the brief schema of `data/brands/*/briefs.jsonl`.
"""

import csv
import difflib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard

from pydantic import Field, ValidationError

from brand_voice.answer_files import cell, write_whole
from brand_voice.errors import InputError
from brand_voice.guide import Brand
from brand_voice.records import Brief, BriefProduct, Product, Record

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
MAX_CELL_CHARS = 20_000
"""Of a cell of approved copy: what is longer is a file gone wrong, no copy."""
SPREADSHEETS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""First bytes of workbooks, new and old."""
_TEMPLATE_REMEDY = "`brand-voice write --template` prints an example"


class Row(Record):
    """One row of an input file: a brief, or the problem that kept it from being one."""

    index: int
    """Position among the rows that are not blank, from 0."""
    id: str
    """The row's own id, or its number from 1."""
    brief: Brief | None = None
    problem: str | None = None


class CopyRow(Row):
    """One row of a file of copy that people wrote: with a brief, or with what it still lacks."""

    text: str = ""
    missing: tuple[str, ...] = ()
    """Columns without which there is no brief; nothing else is wrong with the row."""
    cells: dict[str, str] = Field(default_factory=dict)
    """What the row says, completed by what the catalogue and the text say."""


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


def brief_of_fields(fields: Mapping[str, object], *, brand: Brand, products: Sequence[Product]) -> Brief:
    """A brief from what a row of a file would hold; `facts` and `must_include` may be lists.

    Raises:
        InputError: a field is unknown, missing, no text, or the brief breaks a rule of files of briefs.
    """
    given = {name: LIST_MARK.join(value) if _is_list(value) else value for name, value in fields.items()}
    cells = {name: value for name, value in given.items() if isinstance(value, str) and value.strip()}
    faults = [f"{_seen(name)}: unknown; known: {', '.join(COLUMNS)}" for name in given if name not in COLUMNS]
    faults += [f"{name}: expected text, saw {_seen(v)}" for name, v in given.items() if not isinstance(v, str | None)]
    faults += [f"{name}: missing" for name in REQUIRED if name not in cells]
    row = _checked(_csv_row(0, list(cells), list(cells.values()), brand, _Catalogue(products)), brand)
    if faults or row.brief is None:
        raise InputError("; ".join(faults) or str(row.problem), remedy=_TEMPLATE_REMEDY)
    return row.brief


def read_copy(path: Path, *, brand: Brand, products: Sequence[Product], channel: str | None = None) -> list[CopyRow]:
    """Read a CSV of approved copy: `text`, and whatever else is known of each.

    Where a row names no product, the one of the catalogue that the text names is taken; `channel` and the brand's
    first language stand in for empty cells.

    Raises:
        InputError: unreadable, over 64 MiB, not UTF-8, empty, no CSV, wrong columns, or the brand has no such channel.
    """
    if channel is not None and channel not in brand.channels:
        known = ", ".join(brand.channels)
        raise InputError(f"{brand.id} has no channel {channel!r}", remedy=f"choose one of: {known}")
    defaults = {"locale": brand.locales[0]} | ({"channel": channel} if channel else {})
    records = list(_records(_text(path), path, (*COLUMNS, "text"), ("text",)))
    if not records:
        raise InputError(f"{path} holds no copy", remedy="give it a column `text`, one text a row")
    given = ((index, defaults | _filled(header, cells)) for index, header, cells in records)
    rows = copy_rows(given, brand=brand, products=products)
    torn = (_surplus(header, cells) for _, header, cells in records)
    return [
        row if problem is None else row.model_copy(update={"brief": None, "missing": (), "problem": problem})
        for row, problem in zip(rows, torn, strict=True)
    ]


def copy_rows(
    given: Iterable[tuple[int, Mapping[str, str]]], *, brand: Brand, products: Sequence[Product]
) -> list[CopyRow]:
    """Rows of approved copy from their positions and filled cells, however they were filled: in a file or a table."""
    catalogue = _Catalogue(products)
    rows = []
    for index, cells in given:
        values = dict(cells)
        if not {"sku", "product_name"} & values.keys():
            values |= catalogue.named_in(values.get("text", ""))
        rows.append(_copy_row(index, values, brand, catalogue))
    return rows


def write_copy(path: Path, rows: Sequence[CopyRow]) -> None:
    """Write rows as a CSV that `read_copy` reads, to be completed by hand.

    Raises:
        InputError: the file cannot be written.
    """
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, (*COLUMNS, "text"))
    writer.writeheader()
    writer.writerows({name: cell(value) for name, value in row.cells.items()} for row in rows)
    write_whole(path, stream.getvalue().encode("utf-8-sig"))


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


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InputError(f"{path} is over {MAX_FILE_BYTES // 2**20} MiB", remedy="split it")
        content = path.read_bytes()
        if content.startswith(SPREADSHEETS):
            raise InputError(f"{path} is a workbook, not a CSV", remedy="save it from the spreadsheet as CSV (UTF-8)")
        text = content.decode("utf-8-sig")
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
    catalogue = _Catalogue(products)
    for index, header, cells in _records(text, path, COLUMNS, REQUIRED):
        yield _csv_row(index, header, cells, brand, catalogue)


def _records(
    text: str, path: Path, columns: Sequence[str], required: Sequence[str]
) -> Iterator[tuple[int, list[str], list[str]]]:
    """Number, header and cells of every row that is not blank."""
    csv.field_size_limit(MAX_FILE_BYTES)  # a huge cell is that row's problem, not the file's
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    try:
        header = _header(next((cells for cells in reader if cells), []), path, columns, required)
        records = (cells for cells in reader if any(cell.strip() for cell in cells))
        for index, cells in enumerate(records):
            yield index, header, cells
    except csv.Error as exc:
        raise InputError(
            f"{path}, line {reader.line_num}: {exc}", remedy="close the quotes, or save it from a spreadsheet as CSV"
        ) from exc


def _delimiter(text: str) -> str:
    """The separator under which the first line holds most known columns."""

    def known(delimiter: str) -> int:
        first_line = text.lstrip().partition("\n")[0]
        return sum(_column(name) in (*COLUMNS, "text") for name in first_line.split(delimiter))

    return max(",;\t", key=known)


def _column(name: str) -> str:
    return name.strip().strip('"').strip().lower().replace(" ", "_")


def _header(cells: list[str], path: Path, columns: Sequence[str], required: Sequence[str]) -> list[str]:
    header = [_column(cell) for cell in cells]
    faults = {
        "missing": [column for column in required if column not in header],
        "unknown": [_seen(column) for column in header if column not in columns],
        "twice": sorted({column for column in header if header.count(column) > 1}),
    }
    if required == REQUIRED and not {"sku", "product_name"} & set(header):
        faults["missing"].append("sku or product_name")
    told = "; ".join(f"{fault}: {', '.join(columns)}" for fault, columns in faults.items() if columns)
    if told:
        raise InputError(f"{path}: wrong columns ({told}); known: {', '.join(columns)}", remedy=_TEMPLATE_REMEDY)
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

    def named_in(self, text: str) -> dict[str, str]:
        """The product with the longest name that stands in a text, as cells; nothing where none does."""
        folded = text.casefold()
        named = [product for name, product in self._by_name.items() if name in folded]
        product = max(named, key=lambda each: len(each.name), default=None)
        return {} if product is None else {"sku": product.sku} if product.sku else {"product_name": product.name}

    def _listed(self, sku: str) -> Product:
        if sku in self._by_sku:
            return self._by_sku[sku]
        nearest = difflib.get_close_matches(sku[:80], list(self._by_sku), n=1)
        hint = f", for example {nearest[0]}" if nearest else ""
        raise ValueError(f"sku: saw {_seen(sku)}; expected one of the catalogue's {len(self._by_sku)}{hint}")


def _copy_row(index: int, values: dict[str, str], brand: Brand, catalogue: _Catalogue) -> CopyRow:
    id_ = values.get("id", str(index + 1))[:80]
    row = CopyRow(index=index, id=id_, text=values.get("text", ""), cells=values)
    if not row.text:
        return row.model_copy(update={"problem": "text: saw nothing; expected the copy"})
    too_long = next((name for name, value in values.items() if len(value) > MAX_CELL_CHARS), None)
    if too_long is not None:
        problem = f"{too_long}: saw {_seen(values[too_long])}; expected at most {MAX_CELL_CHARS:,} characters"
        return row.model_copy(update={"problem": problem})
    missing = [name for name in ("channel", "key_message") if name not in values]
    missing += [] if {"sku", "product_name"} & values.keys() else ["product_name"]
    if missing:
        return row.model_copy(update={"missing": tuple(missing)})
    header = [name for name in values if name != "text"]
    read = _checked(_csv_row(index, header, [values[name] for name in header], brand, catalogue), brand)
    return row.model_copy(update={"brief": read.brief, "problem": read.problem})


def _csv_row(index: int, header: list[str], cells: list[str], brand: Brand, catalogue: _Catalogue) -> Row:
    values = _filled(header, cells)
    row_id = values.get("id", str(index + 1))
    problem = _surplus(header, cells)
    if problem is not None:
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


def _filled(header: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    return {column: cell.strip() for column, cell in zip(header, cells, strict=False) if cell.strip()}


def _surplus(header: Sequence[str], cells: Sequence[str]) -> str | None:
    """What is wrong with a row of more cells than columns; too few is fine: spreadsheets leave empty ends out."""
    if not any(cell.strip() for cell in cells[len(header) :]):
        return None
    return f"saw {len(cells)} cells; expected {len(header)}: quote a cell that holds commas"


def _is_list(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(item, str) and LIST_MARK not in item for item in value)


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
