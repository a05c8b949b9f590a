"""Write: a brief on the left, and every writer's answer to it side by side."""

import random
from collections.abc import Callable, Iterator

import gradio as gr

from brand_voice.errors import BrandVoiceError
from brand_voice.records import Author
from brand_voice.ui.brief_form import BriefForm, Values, build_brief_form
from brand_voice.ui.copy_view import told
from brand_voice.ui.demo_offer import build_demo_offer
from brand_voice.ui.session import Session
from brand_voice.ui.side import Side, Writing, build_side, quiet

SIDES: tuple[Author, ...] = ("teacher", "student")
TICK_S = 0.08
"""How often the page gets what was written meanwhile."""
WATCH_S = 3.0
"""How often the page looks whether the student is ready, while it starts."""


def build_write_tab(session: Session, page: gr.Blocks) -> None:
    """Lay the tab out and wire it."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=320, elem_classes="bv-card"):
            form = build_brief_form(session)
            notice = quiet("Notice", elem_id="write-notice", notice=True)
            with gr.Row():
                example = gr.Button("Fill an example", elem_id="write-example", min_width=100)
                go = gr.Button("Write", variant="primary", elem_id="write-go", min_width=100)
            offer = build_demo_offer(session, "write")
        with gr.Column(scale=8, min_width=320), gr.Row(equal_height=False):
            sides = [build_side(author, session) for author in SIDES]
    watch = gr.Timer(WATCH_S, active=False)
    offer.wire(page, form.brand)
    tab = _Handlers(session, form, notice, sides, watch)
    fields, every_side = set(form), set().union(*(side.outputs for side in sides))
    quick = {"show_progress": "hidden"}
    page.load(tab.idle, {form.brand}, {*every_side, watch}, api_name="write_idle", **quick)
    watch.tick(tab.watch, {form.brand}, {*every_side, watch}, api_name="write_watch", **quick)
    form.brand.input(tab.brand, {form.brand}, {*fields, *every_side, notice, watch}, api_name="write_brand", **quick)
    form.product.input(tab.product, {form.brand, form.product}, fields, api_name="write_product", **quick)
    example.click(tab.example, fields, {*fields, notice}, api_name="write_example", **quick)
    go.click(tab.write, fields, {*every_side, notice}, api_name="write", concurrency_limit=8, **quick)
    for side in sides:
        wants = {form.brand, side.nearest}
        side.load.click(tab.loader(side), wants, {*fields, notice}, api_name=f"write_load_{side.author}", **quick)
        side.send.click(
            side.send_to_review,
            [side.token],
            {side.send, side.sent},
            api_name=f"write_send_{side.author}",
            **quick,
        )


class _Handlers:
    """The tab's handlers; they keep nothing but what they close over."""

    def __init__(
        self, session: Session, form: BriefForm, notice: gr.Textbox, sides: list[Side], watch: gr.Timer
    ) -> None:
        self._session = session
        self._form = form
        self._notice = notice
        self._sides = sides
        self._watch = watch

    def idle(self, values: Values) -> Values:
        """Who would write for the brand; the watch runs while the student starts."""
        brand = values[self._form.brand]
        shown: Values = {}
        for side in self._sides:
            shown |= side.idle(brand)
        return shown | {self._watch: gr.Timer(active=self._session.student.is_starting)}

    def watch(self, values: Values) -> Values:
        """Once the student is ready, or failed, say so and stop watching; what was written stays."""
        if self._session.student.is_starting:
            return {self._watch: gr.Timer(active=True)}
        shown: Values = {self._watch: gr.Timer(active=False)}
        for side in self._sides:
            shown |= side.standing(values[self._form.brand]) if side.author == "student" else {}
        return shown

    def brand(self, values: Values) -> Values:
        """Offer another brand's choices."""
        folder = self._session.folder(values[self._form.brand])
        return self._form.emptied(folder) | {self._notice: ""} | self.idle(values)

    def product(self, values: Values) -> Values:
        """Fill in what the catalogue knows."""
        folder = self._session.folder(values[self._form.brand])
        return self._form.filled_product(values[self._form.product], folder)

    def example(self, values: Values) -> Values:
        """Fill in a recorded brief of the brand, another one each time."""
        folder = self._session.folder(values[self._form.brand])
        briefs = self._session.recorded_briefs(folder.guide.id) or folder.briefs
        shown = (values[self._form.name], values[self._form.message])
        others = [b for b in briefs if (b.product.name, b.key_message) != shown]
        if not others:
            return {self._notice: f"{folder.guide.name} has no briefs to show as examples."}
        return self._form.filled(random.choice(others), folder) | {self._notice: ""}

    def write(self, values: Values) -> Iterator[Values]:
        """Ask every side at once and show what they write as they write it."""
        form, session = self._form, self._session
        try:
            brief = session.known(form.read(values, session.folder(values[form.brand])))
        except BrandVoiceError as error:
            yield {self._notice: told(error)}
            return
        started = {self._notice: ""}
        at_work = [(side, Writing(session, side.author, brief)) for side in self._sides]
        for side, writing in at_work:
            writing.start()
            started |= side.started()
        yield started
        while at_work:
            at_work[0][1].join(TICK_S)
            going = [(side, writing) for side, writing in at_work if writing.is_alive()]
            shown: Values = {}
            for side, writing in at_work:
                shown |= side.at_work(writing) if (side, writing) in going else side.done(writing)
            yield shown
            at_work = going

    def loader(self, side: Side) -> Callable[[Values], Values]:
        """A handler that fills in the recorded brief which the side offers."""

        def load(values: Values) -> Values:
            folder = self._session.folder(values[self._form.brand])
            near = next((b for b in folder.briefs if b.id == values[side.nearest]), None)
            return (self._form.filled(near, folder) if near else {}) | {self._notice: ""}

        return load
