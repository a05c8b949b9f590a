"""The tour: a card under the header in five steps, shown on a browser's first visit and whenever somebody asks.

It stands in the page's flow, so that it covers nothing, and it takes no key and no click but its own. All steps are
laid out in one place, one of them visible: going on moves nothing. That it was seen is remembered in the browser. The
script in `TOUR_HEAD` looks for that before anything is painted: a card that appears or goes later would push the page.
"""

import html
from collections.abc import Callable
from typing import NamedTuple

import gradio as gr

from brand_voice.ui.brief_form import Values
from brand_voice.ui.events import quick
from brand_voice.ui.session import Session

STORAGE_KEY = "brand-voice-tour"
OPEN = "() => { document.documentElement.classList.remove('bv-toured'); }"
CLOSE = (
    "() => { document.documentElement.classList.add('bv-toured'); "
    "document.getElementById('tour-open').focus({ preventScroll: true }); }"
)
TOUR_HEAD = f"""
<script>
try {{
  if (localStorage.getItem("{STORAGE_KEY}")) document.documentElement.classList.add("bv-toured");
}} catch {{}}
</script>
"""
TOUR_CSS = """
/* Gradio (6.31) fills HTML in after the first paint: its room is kept. */
#tour { min-height: 143px; }
.bv-toured #tour { display: none !important; }
.bv-top { align-items: baseline; flex-wrap: nowrap !important; min-height: 30px; }
.bv-top #tour-open { flex: 0 0 auto; }
.bv-steps { display: grid; }
.bv-steps section { grid-area: 1 / 1; visibility: hidden; }
.bv-steps section.bv-now { visibility: visible; }
.bv-steps h2 { font-size: 15px; font-weight: 600; margin: 0 0 4px; }
.bv-steps h2 small { font-weight: 400; color: var(--body-text-color-subdued); margin-left: 8px; }
.bv-steps p { margin: 0; font-size: 14px; max-width: 100ch; }
.bv-steps code { font-size: 13px; overflow-wrap: anywhere; }
@media (max-width: 640px) { #tour { min-height: 226px; } .bv-top { min-height: 93px; } }
"""


class Step(NamedTuple):
    """One step: a tab to look at, and what there is to know about it."""

    tab: str
    title: str
    text: str
    """HTML, of our own making."""


class Tour(NamedTuple):
    """The tour's components."""

    open: gr.Button
    steps: gr.HTML
    back: gr.Button
    next: gr.Button
    close: gr.Button
    at: gr.State
    """Number of the step that is shown."""
    seen: gr.BrowserState
    """Set on the first visit; a falsy value would not be written (Gradio 6.31)."""


def build_tour(session: Session, header: Callable[[], None]) -> Tour:
    """Lay the header's row and the card out; `header` fills the row's left."""
    steps = steps_for(session)
    with gr.Row(elem_classes="bv-top"):
        header()
        open_ = gr.Button("Tour", size="sm", min_width=60, elem_id="tour-open")
    with gr.Column(elem_id="tour", elem_classes="bv-card"):
        shown = gr.HTML(_laid_out(steps, 0), padding=False)
        with gr.Row(elem_classes="bv-few"):
            back = gr.Button("Back", size="sm", interactive=False, min_width=60, elem_id="tour-back")
            next_ = gr.Button("Next", size="sm", variant="primary", min_width=60, elem_id="tour-next")
            close = gr.Button("Close", size="sm", min_width=60, elem_id="tour-close")
    # The key is no secret: see the reviewer's name.
    seen = gr.BrowserState("", storage_key=STORAGE_KEY, secret=STORAGE_KEY)
    return Tour(open_, shown, back, next_, close, gr.State(0), seen)


def wire_tour(tour: Tour, session: Session, page: gr.Blocks, tabs: gr.Tabs) -> None:
    """Let the card's buttons walk through the steps and the page's tabs."""
    steps = steps_for(session)
    options, copywriter = quick(tour.at), session.access.needs("copywriter")
    moved = {tour.steps, tour.back, tour.next, tour.at, tabs}

    def at_step(move: Callable[[int], int]) -> Callable[[Values], Values]:
        def go(values: Values) -> Values:
            at = min(max(move(values[tour.at]), 0), len(steps) - 1)
            return {
                tour.steps: _laid_out(steps, at),
                tour.back: gr.Button(interactive=at > 0),
                tour.next: gr.Button(interactive=at < len(steps) - 1),
                tour.at: at,
                tabs: gr.Tabs(selected=steps[at].tab),
            }

        return go

    page.load(copywriter(lambda: "seen"), None, tour.seen, api_name="tour_seen", **options)
    tour.next.click(copywriter(at_step(lambda at: at + 1)), {tour.at}, moved, api_name="tour_next", **options)
    tour.back.click(copywriter(at_step(lambda at: at - 1)), {tour.at}, moved, api_name="tour_back", **options)
    tour.open.click(copywriter(at_step(lambda _: 0)), {tour.at}, moved, js=OPEN, api_name="tour_open", **options)
    tour.close.click(None, None, None, js=CLOSE, api_name="tour_close")


def steps_for(session: Session) -> tuple[Step, ...]:
    """The five steps, with the commands for the brand the app opens with."""
    brand = html.escape(session.first_brand)
    return (
        Step(
            "write",
            "What this is for",
            "A large model writes copy from your briefs, rules check it, people approve it, and a small model on your "
            "own machine learns to write it too. The brands that come with brand_voice are fictional, and their "
            "recorded copy was written by a language model.",
        ),
        Step(
            "write",
            "Write",
            "Fill in a brief, or press <em>Fill an example</em>, then <em>Write</em>. Teacher and student answer side "
            "by side, each with its length, its cost and what the rules say. <em>Send to review</em> keeps a text.",
        ),
        Step(
            "compare",
            "Compare blind",
            "<em>Next pair</em> shows two texts for one brief and not who wrote which. Vote with 1, 2, 3 or 4; then "
            "the names are shown, and the card counts what all votes say. It takes a trained student.",
        ),
        Step(
            "review",
            "Review by keyboard",
            "One draft at a time: A approves, E edits, R rejects (1 to 9 give the reason), S skips, U takes it back. "
            "Your name stands on every verdict. Copy you own already comes in at the bottom of this tab.",
        ),
        Step(
            "models",
            "What comes of it",
            "Approved copy trains the student: press <em>Train</em>, or in a terminal "
            f"<code>brand-voice distill --brand {brand}</code>. The reports say how good it became, and here it is "
            "promoted and rolled back. <code>brand-voice status</code> tells what comes next.",
        ),
    )


def _laid_out(steps: tuple[Step, ...], at: int) -> str:
    sections = (
        f"<section{' class=bv-now' if number == at else ''}>"
        f"<h2>{step.title}<small>{number + 1} of {len(steps)}</small></h2><p>{step.text}</p></section>"
        for number, step in enumerate(steps)
    )
    return f'<div class="bv-steps" role="region" aria-label="Tour" aria-live="polite">{"".join(sections)}</div>'
