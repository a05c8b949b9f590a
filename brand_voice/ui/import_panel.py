"""Import approved copy: a file that somebody uploads becomes approved texts, as `brand-voice import` makes them.

Rows that lack a brief come back in a table. The table is all the state there is: what stands in it when a button is
pressed is proposed for or imported, and a row leaves it only as an approved text or by the user's own hand. Its cells
are shown as text (Gradio's `str` columns are never HTML or Markdown). An uploaded file is deleted once it was read.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import gradio as gr

from brand_voice import loop
from brand_voice.brief_files import COLUMNS, CopyRow, copy_rows, read_copy
from brand_voice.context import Track
from brand_voice.errors import InputError
from brand_voice.guide import Brand
from brand_voice.ui.access import name_of
from brand_voice.ui.brief_form import Values
from brand_voice.ui.copy_view import spoken, told
from brand_voice.ui.errand import Errand
from brand_voice.ui.events import quick
from brand_voice.ui.parts import offered, quiet
from brand_voice.ui.session import Session

TICK_S = 0.2
"""How often the page gets how far the work is."""
MAX_TOLD = 100
"""Rows whose problems are listed."""
FIRST = ("text", "channel", "sku", "product_name", "key_message")
"""What a row needs, one of the product's two; these columns stand first."""
HEADERS = ("Row", "To do", *FIRST, *(name for name in COLUMNS if name not in FIRST))
HINT = (
    "A CSV with a column <code>text</code>, and with <code>channel</code>, <code>sku</code> or "
    "<code>product_name</code>, <code>key_message</code> and the rest of a brief where they are known. "
    "Your name, at the top of this tab, stands on every approval."
)


class ImportPanel(NamedTuple):
    """The panel's components."""

    file: gr.File
    channel: gr.Dropdown
    go: gr.Button
    says: gr.Textbox
    table: gr.Dataframe
    propose: gr.Button
    complete: gr.Button
    discard: gr.Button
    cancel: gr.Button
    of: gr.State
    """Brand of the rows in the table."""

    @property
    def rest(self) -> set[gr.Component]:
        """What changes with the rows that lack a brief."""
        return {self.says, self.table, self.propose, self.complete, self.discard, self.cancel, self.of}


def build_import_panel(session: Session, brand: gr.Dropdown, reviewer: gr.Textbox) -> gr.Textbox:
    """Lay the panel out and wire it to the tab's brand and the field with the approver's name; return what it says."""
    panel = _layout(session)
    handlers = _Handlers(session, panel, brand, reviewer)
    options = {**quick(panel.of), "concurrency_limit": 8}
    reviewer_may = session.access.needs("reviewer")
    upload = {panel.file, panel.channel, panel.of, brand, reviewer}
    at_table = {panel.table, panel.of, reviewer}
    brand.input(reviewer_may(handlers.channels), {brand}, {panel.channel}, api_name="import_brand", **options)
    panel.go.click(reviewer_may(handlers.take), upload, {*panel.rest, panel.file}, api_name="import", **options)
    panel.propose.click(reviewer_may(handlers.propose), at_table, panel.rest, api_name="import_propose", **options)
    panel.complete.click(reviewer_may(handlers.complete), at_table, panel.rest, api_name="import_complete", **options)
    panel.discard.click(reviewer_may(handlers.discard), None, panel.rest, api_name="import_discard", **options)
    panel.cancel.click(reviewer_may(handlers.cancel), None, {panel.cancel}, api_name="import_cancel", **options)
    return panel.says


def _layout(session: Session) -> ImportPanel:
    guide = session.folder(session.first_brand).guide
    with gr.Accordion("Import approved copy", open=False, elem_id="import-panel", elem_classes="bv-card"):
        gr.HTML(f'<p class="bv-hint">{HINT}</p>', padding=False)
        with gr.Row(equal_height=False):
            file = gr.File(label="CSV file", height=120, min_width=260, elem_id="import-file")
            with gr.Column(min_width=260):
                label = "Channel of the rows that name none"
                channel = gr.Dropdown(_channels(guide), value="", label=label, elem_id="import-channel")
                go = gr.Button("Import", variant="primary", elem_id="import-go")
        says = quiet("Result of the import", elem_id="import-says", notice=True)
        with gr.Column(elem_id="import-rest"):
            table = gr.Dataframe(
                headers=list(HEADERS),
                datatype="str",
                type="array",
                column_count=(len(HEADERS), "fixed"),  # Gradio 6.31 ignores column_limits
                static_columns=[0, 1],
                column_widths=["60px", "220px", "340px", *["170px"] * (len(HEADERS) - 3)],
                label="Rows that lack a brief",
                interactive=True,
                wrap=True,
                buttons=[],
                elem_id="import-table",
            )
            with gr.Row(elem_classes="bv-few"):
                complete = offered("Import completed rows", "import-complete")
                propose = offered("Propose", "import-propose")
                cancel = offered("Cancel", "import-cancel")
                discard = offered("Discard these rows", "import-discard")
    return ImportPanel(file, channel, go, says, table, propose, complete, discard, cancel, gr.State(""))


class _Handlers:
    """The panel's handlers; they keep nothing but what they close over."""

    def __init__(self, session: Session, panel: ImportPanel, brand: gr.Dropdown, reviewer: gr.Textbox) -> None:
        self._session = session
        self._panel = panel
        self._brand = brand
        self._reviewer = reviewer

    def channels(self, values: Values) -> Values:
        """Offer another brand's channels; the table keeps its rows and their brand."""
        guide = self._session.folder(values[self._brand]).guide
        return {self._panel.channel: gr.Dropdown(_channels(guide), value="")}

    def take(self, values: Values, request: gr.Request) -> Iterator[Values]:
        """Import the uploaded file; it stays where it is as long as something else is missing."""
        panel, brand = self._panel, values[self._brand]
        try:
            name = self._name(values, request)
            path = self._uploaded(values)
        except InputError as error:
            yield {panel.says: told(error)}
            return
        try:
            rows = self._read(path, brand, values[panel.channel] or None)
        except InputError as error:
            yield {panel.says: told(error), panel.file: None}
            return
        yield {panel.file: None}
        yield from self._imported(rows, [row for row in rows if row.missing], brand, name, request)

    def complete(self, values: Values, request: gr.Request) -> Iterator[Values]:
        """Import what is complete by now; the rest stays in the table."""
        try:
            name = self._name(values, request)
            rows = self._rows(values)
        except InputError as error:
            yield {self._panel.says: told(error)}
            return
        left = [row for row in rows if row.brief is None]
        yield from self._imported(rows, left, values[self._panel.of], name, request)

    def propose(self, values: Values, request: gr.Request) -> Iterator[Values]:
        """Ask the teacher for what is missing; what came before an error or a cancellation stays."""
        panel, brand = self._panel, values[self._panel.of]
        try:
            rows = self._rows(values)
        except InputError as error:
            yield {panel.says: told(error)}
            return
        places = [place for place, row in enumerate(rows) if row.missing]
        asked, done = [rows[place] for place in places], list[CopyRow]()

        def work(track: Track) -> None:
            done.extend(loop.propose_briefs(self._session.context(brand, track), asked))

        errand = self._session.errands.start(_errand("propose", request), work)
        yield {panel.cancel: gr.Button(interactive=True), panel.propose: gr.Button(interactive=False)}
        yield from self._progress(errand)
        for place, row in zip(places, done, strict=False):
            rows[place] = row
        failure = errand.outcome()
        said = [told(failure)] if failure else []
        if done or not failure:
            completed = sum(not row.missing for row in done)
            said += [f"{completed} of {len(asked)} rows completed by the teacher. Read, correct, then import them."]
        judged = self._judged(rows, brand)
        yield self._shown(judged, brand, "\n".join([*said, *_problems(judged)]))

    def discard(self) -> Values:
        """Empty the table."""
        return self._shown([], "", "")

    def cancel(self, request: gr.Request) -> Values:
        """Stop proposing after the row that is asked for."""
        self._session.errands.call_off(_errand("propose", request))
        return {self._panel.cancel: gr.Button(interactive=False)}

    def _name(self, values: Values, request: gr.Request) -> str:
        name = name_of(request, values[self._reviewer]).strip()
        if not name:
            raise InputError("An approval needs the name of who gives it", remedy="fill in Your name, above")
        return name

    def _uploaded(self, values: Values) -> Path:
        if values[self._panel.of]:
            raise InputError("The table still holds rows of an earlier file", remedy="import or discard them first")
        if not values[self._panel.file]:
            raise InputError("There is no file to import", remedy="choose a CSV file")
        return Path(values[self._panel.file])

    def _read(self, path: Path, brand: str, channel: str | None) -> list[CopyRow]:
        """The rows of an uploaded file, which is gone then."""
        folder = self._session.folder(brand)
        try:
            return read_copy(path, brand=folder.guide, products=folder.products, channel=channel)
        except InputError as error:  # where uploads are kept is nothing to tell
            raise InputError(error.message.replace(str(path), path.name), remedy=error.remedy) from error
        finally:
            with suppress(OSError):
                path.unlink(missing_ok=True)
                path.parent.rmdir()

    def _imported(
        self, rows: Sequence[CopyRow], left: Sequence[CopyRow], brand: str, name: str, request: gr.Request
    ) -> Iterator[Values]:
        """Import rows in the background, then tell what became of them; `left` goes into the table."""
        added: list[int] = []

        def work(track: Track) -> None:
            added.append(loop.import_copy(self._session.context(brand, track), rows, reviewer=name))

        errand = self._session.errands.start(_errand("import", request), work)
        yield from self._progress(errand)
        error = errand.outcome()
        if error is not None or not added:
            yield self._shown(left, brand, told(error) if error else "The app is closing; nothing was imported.")
            return
        ready = sum(row.brief is not None for row in rows)
        unusable = len(_bad(rows)) - len(_bad(left))
        counts = [f"{added[0]} new approved texts", f"{ready - added[0]} were there already"]
        counts += [f"{len(left)} to be completed below"] if left else []
        counts += [f"{unusable} unusable as they are"] if unusable else []
        yield self._shown(left, brand, "\n".join([f"{', '.join(counts)}.", *_problems(rows)]))

    def _progress(self, errand: Errand) -> Iterator[Values]:
        while errand.is_alive():
            yield {self._panel.says: errand.standing}
            errand.join(TICK_S)

    def _rows(self, values: Values) -> list[CopyRow]:
        """The table's rows as they stand; an empty line is none."""
        given = []
        for place, line in enumerate(values[self._panel.table] if values[self._panel.of] else ()):
            cells = {name: str(cell).strip() for name, cell in zip(HEADERS, line, strict=False) if cell is not None}
            number, _ = cells.pop("Row", ""), cells.pop("To do", "")
            filled = {name: cell for name, cell in cells.items() if cell}
            given += [(int(number) - 1 if number.isdecimal() else place, filled)] if filled else []
        if not given:
            raise InputError("There are no rows to complete", remedy="import a file first")
        folder = self._session.folder(values[self._panel.of])
        return copy_rows(given, brand=folder.guide, products=folder.products)

    def _judged(self, rows: Sequence[CopyRow], brand: str) -> list[CopyRow]:
        """Proposed rows with what they still lack; a problem that came up while proposing stays with its row."""
        folder = self._session.folder(brand)
        given = ((row.index, row.cells) for row in rows)
        fresh = copy_rows(given, brand=folder.guide, products=folder.products)
        return [
            row.model_copy(update={"problem": row.problem or before.problem}) if row.brief is None else row
            for row, before in zip(fresh, rows, strict=True)
        ]

    def _shown(self, rows: Sequence[CopyRow], brand: str, said: str) -> Values:
        panel = self._panel
        named = f" of {self._session.folder(brand).guide.name}" if rows else ""
        lines = [[str(row.index + 1), _to_do(row), *(row.cells.get(name, "") for name in HEADERS[2:])] for row in rows]
        return {
            panel.says: said,
            panel.table: gr.Dataframe(lines, label=f"Rows{named} that lack a brief"),
            panel.propose: gr.Button(interactive=any(row.missing for row in rows)),
            panel.complete: gr.Button(interactive=bool(rows)),
            panel.discard: gr.Button(interactive=bool(rows)),
            panel.cancel: gr.Button(interactive=False),
            panel.of: brand if rows else "",
        }


def _to_do(row: CopyRow) -> str:
    if row.problem:
        return row.problem
    return f"fill in {', '.join(row.missing)}" if row.missing else "read, correct, import"


def _bad(rows: Sequence[CopyRow]) -> list[CopyRow]:
    return [row for row in rows if row.problem]


def _problems(rows: Sequence[CopyRow]) -> list[str]:
    bad = _bad(rows)
    lines = [f"Row {row.index + 1}: {row.problem}." for row in bad[:MAX_TOLD]]
    return [*lines, *([f"… and {len(bad) - MAX_TOLD} more rows"] if len(bad) > MAX_TOLD else [])]


def _errand(kind: str, request: gr.Request) -> str:
    """Name of a page's errand."""
    return f"{kind}/{request.session_hash}"


def _channels(guide: Brand) -> list[tuple[str, str]]:
    return [("None", ""), *((spoken(name), name) for name in guide.channels)]
