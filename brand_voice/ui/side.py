"""One side of the Write tab: whoever writes there, the text as it comes, and what is to be said about it.

There are as many sides as somebody builds in a loop; none knows another. A side's failure is shown in that side only.
Model text goes into components that show text as text (highlighted text, text boxes), never into HTML or Markdown.
"""

import threading
from typing import NamedTuple

import gradio as gr

from brand_voice.errors import BrandVoiceError, ChatError
from brand_voice.records import Author, Brief, Draft
from brand_voice.ui.brief_form import Values
from brand_voice.ui.copy_view import counter, highlighted, sentences, spoken, told
from brand_voice.ui.session import Session, Written
from brand_voice.ui.theme import SEVERITY_COLOURS


class Writing(threading.Thread):
    """A side at work: the text so far, then what was written, or the error."""

    def __init__(self, session: Session, author: Author, brief: Brief) -> None:
        super().__init__(name=f"write-{author}", daemon=True)
        self.brief = brief
        self.text = ""
        self.written: Written | None = None
        self.error: BrandVoiceError | None = None
        self._session = session
        self._author: Author = author

    def run(self) -> None:
        """Ask, and take what comes."""
        try:
            for piece in self._session.stream(self._author, self.brief):
                if isinstance(piece, Written):
                    self.written = piece
                else:
                    self.text += piece
        except BrandVoiceError as error:
            self.error = error


class Side(NamedTuple):
    """One side's components."""

    author: Author
    session: Session
    who: gr.Textbox
    problem: gr.Textbox
    load: gr.Button
    text: gr.HighlightedText
    count: gr.Textbox
    figures: gr.Textbox
    findings: gr.Textbox
    send: gr.Button
    sent: gr.Textbox
    token: gr.State
    """What the session keeps the text under."""
    nearest: gr.State
    """Id of the recorded brief that `load` offers."""

    @property
    def outputs(self) -> set[gr.Component]:
        """Everything that changes."""
        return {part for part in self if isinstance(part, gr.blocks.Block)}

    def idle(self, brand: str) -> Values:
        """The side before anything is written."""
        return self._cleared() | {self.text: [], self.count: "Nothing written yet."} | self.standing(brand)

    def standing(self, brand: str) -> Values:
        """Who would write, or why nobody can."""
        try:
            writer = self.session.writer(self.author, brand)
        except BrandVoiceError as error:
            return {self.who: ""} | self._problem(error)
        endpoint = writer.chat.endpoint
        named = "replays the brand's recorded copy" if endpoint.is_recorded else f"{endpoint.name}: {endpoint.model}"
        return {self.who: writer.adapter or named, self.problem: ""}

    def at_work(self, writing: Writing) -> Values:
        """The text so far."""
        guide = self.session.folder(writing.brief.brand).guide
        count = counter(writing.text, writing.brief, guide) if writing.text else "Writing …"
        return {self.text: highlighted(writing.text), self.count: count}

    def done(self, writing: Writing) -> Values:
        """The text with its findings, or what went wrong."""
        if writing.error is not None:
            return self.at_work(writing) | {self.count: ""} | self._problem(writing.error, writing.brief)
        if writing.written is None:
            raise RuntimeError(f"the {self.author}'s thread ended without a text; its traceback stands above")
        brief, draft, screening = writing.written
        return {
            self.text: highlighted(draft.text, screening.findings),
            self.count: counter(draft.text, brief, self.session.folder(brief.brand).guide),
            self.figures: self._figures(draft),
            self.findings: sentences(screening.findings),
            self.send: gr.Button(interactive=True),
            self.token: self.session.keep(writing.written),
        }

    def started(self) -> Values:
        """The side as its work begins."""
        return self._cleared() | {self.text: [], self.count: "Writing …"}

    def send_to_review(self, token: str) -> Values:
        """Store the text; the button then rests."""
        try:
            sent = self.session.send_to_review(token)
        except BrandVoiceError as error:
            return {self.sent: told(error)}
        return {self.sent: sent, self.send: gr.Button(interactive=False)}

    def _cleared(self) -> Values:
        return {
            self.problem: "",
            self.load: gr.Button(interactive=False),
            self.figures: "",
            self.findings: "",
            self.send: gr.Button(interactive=False),
            self.sent: "",
            self.token: "",
            self.nearest: "",
        }

    def _problem(self, error: BrandVoiceError, brief: Brief | None = None) -> Values:
        if brief is None or not isinstance(error, ChatError) or error.kind != "no_recording":
            return {self.problem: told(error)}
        near = self.session.nearest_recorded(brief)
        said = "The recorded teacher has no recording for this brief: it replays recorded copy and writes nothing new."
        if near is None:
            return {self.problem: said}
        what = f"{near.id} ({near.product.name}, {spoken(near.channel)})"
        return {
            self.problem: f"{said}\nThe nearest recorded brief is {what}.",
            self.load: gr.Button(f"Load {near.id}", interactive=True),
            self.nearest: near.id,
        }

    def _figures(self, draft: Draft) -> str:
        tokens = f"{draft.usage.prompt_tokens} tokens in, {draft.usage.completion_tokens} out"
        seconds = f"{draft.latency_ms / 1e3:.2g} s" if draft.latency_ms is not None else None
        per_hour = self.session.settings.machine_usd_per_hour
        cost = None
        if draft.is_recorded:
            tokens += " (estimated)"
            cost = f"{_usd(draft.cost_usd)} (recorded teacher: list price, not measured)" if draft.cost_usd else None
        elif draft.author == "student" and per_hour is not None and draft.latency_ms is not None:
            cost = f"{_usd(draft.latency_ms / 3.6e6 * per_hour)} of a machine at {_usd(per_hour)} an hour"
        elif draft.cost_usd is not None:
            cost = _usd(draft.cost_usd)
        return " · ".join(filter(None, (seconds, tokens, cost)))


def build_side(author: Author, session: Session) -> Side:
    """Lay one side out."""
    id_ = f"side-{author}"
    with gr.Column(elem_id=id_, elem_classes="bv-card", min_width=300):
        gr.HTML(f"<h2>{author.capitalize()}</h2>", padding=False, elem_classes="bv-title")
        who = quiet("Who writes", subdued=True)
        problem = quiet("Notice", elem_id=f"{id_}-problem", notice=True)
        load = offered("Load", f"{id_}-load")
        text = copy_text(f"The {author}'s text", f"{id_}-text", SEVERITY_COLOURS)
        count = quiet("Length", elem_id=f"{id_}-count")
        figures = quiet("Time, tokens, cost", elem_id=f"{id_}-figures", subdued=True)
        findings = quiet("Findings", elem_id=f"{id_}-findings", show_label=True)
        send = offered("Send to review", f"{id_}-send")
        sent = quiet("Review", elem_id=f"{id_}-sent")
        token, nearest = gr.State(""), gr.State("")
    return Side(
        author=author,
        session=session,
        who=who,
        problem=problem,
        load=load,
        text=text,
        count=count,
        figures=figures,
        findings=findings,
        send=send,
        sent=sent,
        token=token,
        nearest=nearest,
    )


def quiet(
    label: str, *, elem_id: str | None = None, show_label: bool = False, subdued: bool = False, notice: bool = False
) -> gr.Textbox:
    """A line or two of plain text, invisible while empty; a text box, because that shows whatever it gets as text.

    The style sheet hides it, not `visible`: when that changes twice in quick succession, Gradio 6.31 may lose the
    second change.
    """
    classes = ["bv-quiet", *(["bv-subdued"] if subdued else []), *(["bv-notice"] if notice else [])]
    return gr.Textbox(
        label=label,
        show_label=show_label,
        container=show_label,
        interactive=False,
        lines=1,
        max_lines=20,
        placeholder=" ",
        elem_id=elem_id,
        elem_classes=classes,
    )


def copy_text(label: str, elem_id: str, colours: dict[str, str] | None = None) -> gr.HighlightedText:
    """Copy to be read, with marked pieces where `colours` names their labels; whatever it gets is shown as text."""
    return gr.HighlightedText(
        [],
        label=label,
        show_label=False,
        container=False,
        show_whitespaces=True,
        color_map=colours,
        elem_id=elem_id,
        elem_classes="bv-copy",
    )


def offered(label: str, elem_id: str) -> gr.Button:
    """A button that is seen only while it can be pressed."""
    return gr.Button(label, size="sm", interactive=False, elem_id=elem_id, elem_classes="bv-offered")


def _usd(amount: float) -> str:
    """Dollars; what is less than a cent with five digits, so that it is not called nothing."""
    if amount < 0.00001:
        return "under $0.00001"
    return f"${amount:.2f}" if amount >= 0.01 else f"${amount:.5f}"
