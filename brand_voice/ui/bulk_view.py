"""The list of drafts without findings: its rows, the keys that size it, the one button that approves what is ticked.

All rows are one component, a group of check boxes: it shows whatever it gets as text, and takes one update however
many rows there are.
"""

import re
import textwrap
from collections.abc import Container
from typing import NamedTuple

import gradio as gr

from brand_voice.store.queue import QueueItem
from brand_voice.ui.brief_form import Values
from brand_voice.ui.copy_view import spoken
from brand_voice.ui.parts import quiet

SIZES = (10, 25, 50)
MESSAGE_CHARS = 60
LONG_WORD = re.compile(r"\S{20}(?=\S)")
COUNTED = "ticked => `Approve ${ticked.length} (Enter)`"
"""What the button says, told by the page itself: no tick has to travel."""


class BulkView(NamedTuple):
    """The components."""

    open: gr.Button
    close: gr.Button
    position: gr.Textbox
    sizes: dict[int, gr.Button]
    size: gr.Textbox
    """How many rows are wanted; empty while drafts are shown one by one."""
    rows: gr.CheckboxGroup
    approve: gr.Button
    undo: gr.Button
    listed: gr.State
    """What the list shows: ids and revisions."""
    passed: gr.State
    """Ids of what was left unticked since the list was opened."""

    @property
    def outputs(self) -> set[gr.Component]:
        """What changes with the list."""
        return {self.position, self.size, self.rows, self.listed, self.passed}

    def shown(self, items: tuple[QueueItem, ...], unticked: Container[str] = ()) -> Values:
        """Updates that show these drafts, all ticked but those."""
        ticked = [item.draft.id for item in items if item.draft.id not in unticked]
        return {
            self.rows: gr.CheckboxGroup([(_row(item), item.draft.id) for item in items], value=ticked),
            self.listed: [[item.draft.id, item.revision] for item in items],
        }


def build_bulk_view(opener: gr.Button) -> BulkView:
    """Lay the list out; the style sheet hides it as long as its size is empty, and the rest of the desk after that."""
    with gr.Column(elem_classes=["bv-card", "bv-bulk"]):
        gr.HTML("<h2>Drafts without findings</h2>", padding=False, elem_classes="bv-title")
        position = quiet("How many", elem_id="review-bulk-position", subdued=True)
        with gr.Row():
            sizes = {
                size: gr.Button(f"{size} ({key})", size="sm", elem_id=f"review-bulk-{size}", min_width=70)
                for key, size in enumerate(SIZES, start=1)
            }
            close = gr.Button("One by one (B)", size="sm", elem_id="review-bulk-close", min_width=130)
        rows = gr.CheckboxGroup(
            [], label="Ticked drafts are approved", interactive=True, elem_id="review-rows", elem_classes="bv-rows"
        )
        with gr.Row():
            approve = gr.Button("Approve 0 (Enter)", variant="primary", elem_id="review-bulk-approve", min_width=180)
            undo = gr.Button("Undo (U)", elem_id="review-bulk-undo", min_width=110)
        size = gr.Textbox(visible="hidden", placeholder=" ", elem_id="review-bulk-size", label="Rows")
    return BulkView(
        open=opener,
        close=close,
        position=position,
        sizes=sizes,
        size=size,
        rows=rows,
        approve=approve,
        undo=undo,
        listed=gr.State([]),
        passed=gr.State([]),
    )


def _row(item: QueueItem) -> str:
    """A draft in two paragraphs: what it is for, in one line that is cut off where it must be, then the whole text."""
    message = textwrap.shorten(item.brief.key_message, MESSAGE_CHARS, placeholder=" …")
    what = f"{spoken(item.brief.channel)} · {' '.join(item.brief.product.name.split())} · {message}"
    # The style sheet cuts off what does not fit into its line and cannot be broken: all of the one, none of the other.
    unbroken = what.replace(" ", "\u00a0").replace("-", "\u2011")
    text = LONG_WORD.sub("\\g<0>\u200b", item.draft.text.strip())
    return f"{unbroken}\n{text}"
