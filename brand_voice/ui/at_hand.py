"""Below the sides: what differs between any two of the texts, and all of them as a file.

The file is made in the browser out of a hidden text box, so that no copy lies about on this machine's disk.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import gradio as gr

from brand_voice.answer_files import EDITED_SOURCE_TYPE, SOURCE_TYPE, findings_cell, table_csv
from brand_voice.errors import InputError
from brand_voice.ui.brief_form import Values
from brand_voice.ui.copy_view import difference, told
from brand_voice.ui.events import quick
from brand_voice.ui.parts import copy_text, offered, quiet
from brand_voice.ui.session import Kept, Session
from brand_voice.ui.side import Side
from brand_voice.ui.theme import DIFFERENCE_COLOURS

AS_WRITTEN = "written:"
"""Before a token: the text as its writer left it."""
DOWNLOAD = """(text) => {
  if (!text) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(["\\ufeff", text], { type: "text/csv" }));
  link.download = "copy.csv";
  link.click();
  URL.revokeObjectURL(link.href);
}"""
"""The mark at the file's start tells Excel that it is UTF-8."""


class AtHand(NamedTuple):
    """The components, and the sides whose texts they are about."""

    session: Session
    sides: Sequence[Side]
    first: gr.Dropdown
    second: gr.Dropdown
    difference: gr.HighlightedText
    equal: gr.Textbox
    export: gr.Button
    file: gr.Textbox

    @property
    def outputs(self) -> set[gr.Component]:
        """What changes with the texts at hand."""
        return {self.first, self.second, self.difference, self.equal, self.export}

    @property
    def wants(self) -> set[gr.Component]:
        """What says which texts there are."""
        return {side.tokens for side in self.sides}

    def offered(self, values: Values) -> Values:
        """The texts there are by now; until somebody chooses, two sides' first, or the only text and what it was."""
        named = [(name, token) for name, token, _ in self._texts(values)]
        choices = [*named, *((f"{name}, as written", AS_WRITTEN + token) for name, token in named)]
        heads = [values[side.tokens].split()[0] for side in self.sides if values[side.tokens]]
        ids = [*heads[:2], *(token for _, token in choices if token not in heads[:2])]
        if len(named) == 1:  # from what was written to what it is now
            ids.reverse()
        first, second = ids[0] if ids else None, ids[1] if len(ids) > 1 else None
        chosen = {self.first: gr.Dropdown(choices, value=first), self.second: gr.Dropdown(choices, value=second)}
        return chosen | self._compared(first, second) | {self.export: gr.Button(interactive=bool(ids))}

    def compared(self, values: Values) -> Values:
        """What differs between the two that are chosen."""
        return self._compared(values[self.first], values[self.second])

    def exported(self, values: Values) -> Values:
        """All texts as a CSV, as they stand now."""
        rows = [_row(kept) for _, _, kept in self._texts(values)]
        return {self.file: table_csv(rows[0], rows) if rows else ""}

    def _texts(self, values: Values) -> Iterator[tuple[str, str, Kept]]:
        """Name, token and text of everything at hand."""
        for number, side in enumerate(self.sides, start=1):
            tokens = values[side.tokens].split()
            for place, token in enumerate(tokens, start=1):
                try:
                    kept = self.session.kept(token)
                except InputError:
                    continue
                which = f", text {place}" if len(tokens) > 1 else ""
                yield f"{number} {kept.written.draft.author.capitalize()}{which}", token, kept

    def _compared(self, first: str | None, second: str | None) -> Values:
        if not first or not second:
            return {self.difference: [], self.equal: ""}
        try:
            before, after = self._text(first), self._text(second)
        except InputError as error:
            return {self.difference: [], self.equal: told(error)}
        pieces = difference(before, after)
        return {self.difference: pieces, self.equal: "" if pieces else "The two are the same, word for word."}

    def _text(self, name: str) -> str:
        kept = self.session.kept(name.removeprefix(AS_WRITTEN))
        return (kept.written.draft.text if name.startswith(AS_WRITTEN) else kept.text).strip()


def build_at_hand(session: Session, sides: Sequence[Side]) -> AtHand:
    """Lay the panel out and wire it; `offered` is for whoever knows that there are new texts."""
    with gr.Accordion(
        "Word difference between two texts", open=False, elem_id="difference", elem_classes="bv-card"
    ) as fold:
        with gr.Row():
            first = gr.Dropdown([], label="From", elem_id="difference-first", min_width=160)
            second = gr.Dropdown([], label="To", elem_id="difference-second", min_width=160)
        shown = copy_text("What differs", "difference-shown", DIFFERENCE_COLOURS)
        equal = quiet("Comparison", elem_id="difference-equal")
    with gr.Row(elem_classes="bv-few"):
        export = offered("Export all texts (CSV)", "write-export")
    file = gr.Textbox(visible="hidden", elem_id="write-file")
    panel = AtHand(session, sides, first, second, shown, equal, export, file)
    options, copywriter = quick(sides[0].nearest), session.access.needs("copywriter")
    for name, event in (("first", first.input), ("second", second.input), ("open", fold.expand)):
        event(copywriter(panel.compared), {first, second}, {shown, equal}, api_name=f"difference_{name}", **options)
    made = export.click(copywriter(panel.exported), panel.wants, {file}, api_name="write_export", **options)
    made.then(None, file, None, js=DOWNLOAD)
    return panel


def _row(kept: Kept) -> dict[str, object]:
    brief, draft, *_ = kept.written
    return {
        **{"brand": brief.brand, "channel": brief.channel, "locale": brief.locale, "product": brief.product.name},
        **{"key_message": brief.key_message, "text": kept.text.strip()},
        **{"author": draft.author, "model": draft.model, "adapter": draft.adapter, "is_edited": kept.is_edited},
        "findings": findings_cell(kept.screening.findings),
        "digital_source_type": EDITED_SOURCE_TYPE if kept.is_edited else SOURCE_TYPE,
    }
