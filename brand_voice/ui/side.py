"""One side of the Write tab: whoever writes there, the text as it comes, and what a person makes of it.

There are as many sides as somebody builds in a loop; none knows another, and none knows who will write on it. A side's
failure is shown in that side only. Model text goes into components that show text as text (highlighted text, text
boxes), never into HTML or Markdown.
"""

from typing import NamedTuple

import gradio as gr

from brand_voice.errors import BrandVoiceError, ChatError
from brand_voice.records import Brief, Draft
from brand_voice.ui.brief_form import Values
from brand_voice.ui.cascades import CASCADE, TITLE, Cascades
from brand_voice.ui.copy_view import counter, fixed, fixes, highlighted, marked, sentences, spoken, told
from brand_voice.ui.parts import copy_text, offered, quiet
from brand_voice.ui.session import STUDENT, TEACHER, Kept, Session
from brand_voice.ui.theme import SEVERITY_COLOURS
from brand_voice.ui.writing import Writing


class Side(NamedTuple):
    """One side's components."""

    session: Session
    cascades: Cascades
    contender: gr.State
    """Who sits here, or None."""
    title: gr.Textbox
    """Empty where nobody writes: the side is then not seen."""
    who: gr.Textbox
    problem: gr.Textbox
    load: gr.Button
    pick: gr.Radio
    """Which of several texts is shown, from "1"."""
    marked: gr.HighlightedText
    """The text while it is written; then with its findings, where they have a place in it."""
    copy: gr.Textbox
    fixes: gr.Radio
    """What a rule would put instead; choosing it does it."""
    count: gr.Textbox
    figures: gr.Textbox
    why: gr.Textbox
    """Whose text it is and why, where a cascade decided."""
    findings: gr.Textbox
    take: gr.Button
    """Copies the text; pressable while there is one."""
    send: gr.Button
    sent: gr.Textbox
    tokens: gr.Textbox
    """What the session keeps the texts under, unseen."""
    token: gr.Textbox
    """Of these, that of the text in the box, unseen. It comes and goes with the text, so that what is typed is taken
    for the text that stood there then, not for one that was picked or came meanwhile."""
    nearest: gr.State
    """Id of the recorded brief that `load` offers."""

    @property
    def outputs(self) -> set[gr.Component]:
        """Everything that changes."""
        return {part for part in self if isinstance(part, gr.blocks.Block)}

    @property
    def wants(self) -> set[gr.Component]:
        """What the handlers below read."""
        return {self.pick, self.copy, self.fixes, self.tokens, self.token}

    def idle(self, brand: str, contender: str | None) -> Values:
        """The side before anything is written."""
        count = "Nothing written yet." if contender else ""
        return self._cleared() | {self.contender: contender, self.count: count} | self.standing(brand, contender)

    def standing(self, brand: str, contender: str | None) -> Values:
        """Who would write, or why nobody can."""
        if contender is None:
            return {self.title: "", self.who: "", self.problem: ""}
        title = {TEACHER: "Teacher", CASCADE: TITLE}.get(contender, "Student")
        try:
            if contender == CASCADE:
                return {self.title: title, self.who: self.cascades.who(brand), self.problem: ""}
            writer = self.session.writer(contender, brand)
        except BrandVoiceError as error:
            return {self.title: title, self.who: ""} | self._problem(error)
        endpoint = writer.chat.endpoint
        named = "replays the brand's recorded copy" if endpoint.is_recorded else f"{endpoint.name}: {endpoint.model}"
        coming = self.session.student.succession(brand) if contender == STUDENT else ""
        return {self.title: title, self.who: f"{writer.adapter or named}\n{coming}".strip(), self.problem: ""}

    def started(self) -> Values:
        """The side as its work begins."""
        return self._cleared() | {self.count: "Writing …"}

    def at_work(self, writing: Writing) -> Values:
        """The text so far; after the first, how many there are."""
        guide = self.session.folder(writing.brief.brand).guide
        count = counter(writing.text, writing.brief, guide) if writing.text else "Writing …"
        number = len(writing.written) + 1
        nth = f"Text {number} of {writing.wanted} · " if writing.wanted > 1 else ""
        return {self.marked: highlighted(writing.text), self.count: nth + count}

    def done(self, writing: Writing) -> Values:
        """The texts, the first one shown; or what went wrong; or both."""
        wrong: Values = {}
        if writing.error is not None:
            wrong = self._problem(writing.error, writing.brief)
        elif writing.is_stopped:
            wrong = {self.problem: "Stopped. What was not finished is dropped."}
        elif not writing.written:
            raise RuntimeError(f"the thread {writing.name} ended without a text; its traceback stands above")
        elif len(writing.written) < writing.wanted:
            wrong = {self.problem: f"{len(writing.written)} of {writing.wanted}: the others came out nearly the same."}
        if not writing.written:
            return {self.marked: [], self.count: ""} | wrong
        tokens = [self.session.keep(written) for written in writing.written]
        names = [str(number) for number in range(1, len(tokens) + 1)]
        shown = self._shown(tokens[0], self.session.kept(tokens[0]))
        return shown | wrong | {self.tokens: " ".join(tokens), self.pick: gr.Radio(names, value="1")}

    def picked(self, values: Values) -> Values:
        """Another of the texts, as it was left; what stands in the box is kept first."""
        number, tokens = int(values[self.pick] or 1), values[self.tokens].split()
        try:
            if values[self.token]:
                self.session.edit(values[self.token], values[self.copy] or "")
            picked = tokens[number - 1] if number <= len(tokens) else ""
            return self._shown(picked, self.session.kept(picked))
        except BrandVoiceError as error:
            return {self.problem: told(error)}

    def mended(self, values: Values) -> Values:
        """The text after the chosen fix."""
        token = values[self.token]
        try:
            kept = self.session.edit(token, values[self.copy] or "")
            mended = fixed(kept.text, kept.screening.findings, values[self.fixes] or "")
            return self._shown(token, self.session.edit(token, mended))
        except BrandVoiceError as error:
            return {self.problem: told(error)}

    def edited(self, values: Values) -> Values:
        """Findings, length and fixes of the text as it stands in the box."""
        token = values[self.token]
        if not token:  # the box was emptied because a new text is on its way
            return {self.sent: ""}
        try:
            kept = self.session.edit(token, values[self.copy] or "")
        except BrandVoiceError as error:
            return {self.problem: told(error)}
        return self._judged(kept) | self._offered(kept)

    def send_to_review(self, values: Values) -> Values:
        """Store the text as it stands in the box; the button then rests."""
        try:
            token = values[self.token]
            self.session.edit(token, values[self.copy] or "")
            sent = self.session.send_to_review(token)
        except BrandVoiceError as error:
            return {self.sent: told(error)}
        return {self.sent: sent, self.send: gr.Button(interactive=False)}

    def _shown(self, token: str, kept: Kept) -> Values:
        return self._judged(kept) | {
            self.copy: kept.text,
            self.token: token,
            self.figures: self._figures(kept.written.draft),
            self.why: kept.written.why,
            self.take: gr.Button(interactive=True),
            **self._offered(kept),
        }

    def _offered(self, kept: Kept) -> Values:
        """The way to review; a cascade's text is there already, a person's version of it is not."""
        if not kept.written.why or kept.is_edited:
            return {self.send: gr.Button(interactive=True), self.sent: ""}
        return {self.send: gr.Button(interactive=False), self.sent: "Stored for review already."}

    def _judged(self, kept: Kept) -> Values:
        brief, findings = kept.written.brief, kept.screening.findings
        return {
            self.marked: marked(kept.text, findings),
            self.count: counter(kept.text, brief, self.session.folder(brief.brand).guide),
            self.findings: sentences(findings),
            self.fixes: gr.Radio(fixes(kept.text, findings), value=None),
        }

    def _cleared(self) -> Values:
        rests = gr.Button(interactive=False)
        return {
            **dict.fromkeys((self.problem, self.copy, self.count, self.figures, self.findings, self.sent), ""),
            **dict.fromkeys((self.tokens, self.token, self.nearest, self.why), ""),
            self.load: rests,
            self.take: rests,
            self.send: rests,
            self.marked: [],
            self.pick: gr.Radio([], value=None),
            self.fixes: gr.Radio([], value=None),
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


def build_side(number: int, session: Session, cascades: Cascades) -> Side:
    """Lay the side of that number out; every part's id is `side-NUMBER-` and its name."""
    id_ = f"side-{number}"
    with gr.Column(elem_id=id_, elem_classes="bv-card bv-side", min_width=300):
        title = quiet(f"Writer {number}", elem_id=f"{id_}-title", heading=True)
        who = quiet("Who writes", elem_id=f"{id_}-who", subdued=True)
        problem = quiet("Notice", elem_id=f"{id_}-problem", notice=True)
        load = offered("Load", f"{id_}-load")
        pick = gr.Radio([], label="Text", elem_id=f"{id_}-pick", elem_classes="bv-chips bv-pick", container=False)
        marked = copy_text(f"Text of writer {number}", f"{id_}-text", SEVERITY_COLOURS)
        copy = gr.Textbox(
            label="Text, to be edited",
            show_label=False,
            container=False,
            lines=2,
            max_lines=14,
            interactive=True,
            elem_id=f"{id_}-copy",
            elem_classes="bv-edit",
        )
        count = quiet("Length", elem_id=f"{id_}-count")
        findings = quiet("Findings", elem_id=f"{id_}-findings", show_label=True)
        fix = gr.Radio([], label="Fix", elem_id=f"{id_}-fixes", elem_classes="bv-chips", container=False)
        figures = quiet("Time, tokens, cost", elem_id=f"{id_}-figures", subdued=True)
        why = quiet("Why this text", elem_id=f"{id_}-why", subdued=True)
        with gr.Row(elem_classes="bv-few"):
            take = offered("Copy", f"{id_}-take")
            send = offered("Send to review", f"{id_}-send")
        sent = quiet("Review", elem_id=f"{id_}-sent")
        tokens = gr.Textbox(visible="hidden", elem_id=f"{id_}-tokens")
        token = gr.Textbox(visible="hidden", elem_id=f"{id_}-token")
        contender, nearest = gr.State(None), gr.State("")
    return Side(
        session=session,
        cascades=cascades,
        contender=contender,
        title=title,
        who=who,
        problem=problem,
        load=load,
        pick=pick,
        marked=marked,
        copy=copy,
        fixes=fix,
        count=count,
        figures=figures,
        why=why,
        findings=findings,
        take=take,
        send=send,
        sent=sent,
        tokens=tokens,
        token=token,
        nearest=nearest,
    )


def _usd(amount: float) -> str:
    """Dollars; what is less than a cent with five digits, so that it is not called nothing."""
    if amount < 0.00001:
        return "under $0.00001"
    return f"${amount:.2f}" if amount >= 0.01 else f"${amount:.5f}"
