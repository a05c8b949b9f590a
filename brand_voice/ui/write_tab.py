"""Write: a brief on the left, and every writer's answer to it side by side."""

import random
import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple

import gradio as gr

from brand_voice.errors import BrandVoiceError, InputError
from brand_voice.records import Brief
from brand_voice.ui.at_hand import AtHand, build_at_hand
from brand_voice.ui.brief_form import BriefForm, Values, build_brief_form
from brand_voice.ui.cascades import CASCADE, TITLE, Cascades, CascadeWriting
from brand_voice.ui.copy_view import told
from brand_voice.ui.demo_offer import DemoOffer, build_demo_offer
from brand_voice.ui.events import quick
from brand_voice.ui.parts import offered, quiet
from brand_voice.ui.session import STUDENT, TEACHER, Session
from brand_voice.ui.side import Side, build_side
from brand_voice.ui.writing import Writing

MAX_SIDES = 4
MAX_TEXTS = 5
TICK_S = 0.08
"""How often the page gets what was written meanwhile."""
WATCH_S = 3.0
"""How often the page looks whether the student is ready, while it starts."""


class WriteTab(NamedTuple):
    """The tab's components."""

    form: BriefForm
    writers: gr.Dropdown
    """Who writes, the first on the first side."""
    number: gr.Dropdown
    """Texts from each."""
    notice: gr.Textbox
    example: gr.Button
    stop: gr.Button
    go: gr.Button
    offer: DemoOffer
    sides: tuple[Side, ...]
    at_hand: AtHand
    watch: gr.Timer

    @property
    def every_side(self) -> set[gr.Component]:
        """Everything that changes on the sides."""
        return set().union(*(side.outputs for side in self.sides))

    @property
    def who(self) -> set[gr.Component]:
        """What says who writes, and where each of them sits."""
        return {self.form.brand, self.writers, *(side.contender for side in self.sides)}


def build_write_tab(session: Session, page: gr.Blocks, tab_item: gr.Tab) -> None:
    """Lay the tab out and wire it."""
    tab = _layout(session)
    handlers = _Handlers(session, tab)
    form, at_hand, options = tab.form, tab.at_hand, quick(tab.sides[0].nearest)
    copywriter = session.access.needs("copywriter")
    tab.offer.wire(page, form.brand)
    seats = {*tab.every_side, tab.writers, tab.watch}
    page.load(copywriter(handlers.idle), tab.who, seats, api_name="write_idle", **options)
    tab.watch.tick(copywriter(handlers.watch), tab.who, seats, api_name="write_watch", **options)
    tab_item.select(copywriter(handlers.watch), tab.who, seats, api_name="write_open", **options)
    fresh = {*form, *seats, *at_hand.outputs, tab.notice}
    form.brand.input(copywriter(handlers.brand), tab.who, fresh, api_name="write_brand", **options)
    tab.writers.input(copywriter(handlers.seat), tab.who, seats, api_name="write_writers", **options)
    chosen = {form.brand, form.product}
    form.product.input(copywriter(handlers.product), chosen, {*form}, api_name="write_product", **options)
    tab.example.click(copywriter(handlers.example), {*form}, {*form, tab.notice}, api_name="write_example", **options)
    written = tab.go.click(
        copywriter(handlers.write),
        {*form, tab.number, *tab.who},
        {*tab.every_side, tab.notice, tab.stop},
        api_name="write",
        concurrency_limit=8,
        **options,
    )
    offered_now = copywriter(at_hand.offered)
    written.then(offered_now, at_hand.wants, at_hand.outputs, api_name="write_at_hand", **options)
    tab.stop.click(copywriter(handlers.stop), None, {tab.notice, tab.stop}, api_name="write_stop", **options)
    for number, side in enumerate(tab.sides, start=1):
        _wire(number, side, handlers)


def _wire(number: int, side: Side, handlers: "_Handlers") -> None:
    tab, options = handlers.tab, quick(handlers.tab.sides[0].nearest)
    copywriter = side.session.access.needs("copywriter")
    filled, near = {*tab.form, tab.notice}, {tab.form.brand, side.nearest}
    changed = side.outputs - {side.title, side.who, side.tokens}
    side.load.click(copywriter(handlers.loader(side)), near, filled, api_name=f"write_load_{number}", **options)
    side.pick.input(copywriter(side.picked), side.wants, changed, api_name=f"write_pick_{number}", **options)
    side.fixes.input(copywriter(side.mended), side.wants, changed, api_name=f"write_fix_{number}", **options)
    # Not `input`: Gradio 6.31 swallows the first one after an update, so a pasted text would go unchecked.
    side.copy.change(
        copywriter(side.edited),
        side.wants,
        changed - {side.copy},
        trigger_mode="always_last",
        api_name=f"write_edit_{number}",
        **options,
    )
    sent = {side.send, side.sent}
    side.send.click(copywriter(side.send_to_review), side.wants, sent, api_name=f"write_send_{number}", **options)
    side.take.click(None, side.copy, None, js="(text) => { navigator.clipboard.writeText(text); }")


def _layout(session: Session) -> WriteTab:
    with gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=320, elem_classes="bv-card"):
            form = build_brief_form(session)
            with gr.Row():
                writers = gr.Dropdown(
                    list(_contenders(session, session.first_brand)),
                    value=[TEACHER, STUDENT],
                    multiselect=True,
                    max_choices=MAX_SIDES,
                    label="Who writes",
                    min_width=180,
                    scale=3,
                    elem_id="write-writers",
                )
                number = gr.Dropdown(
                    list(range(1, MAX_TEXTS + 1)), value=1, label="Texts", min_width=76, elem_id="write-number"
                )
            notice = quiet("Notice", elem_id="write-notice", notice=True)
            with gr.Row():
                example = gr.Button("Fill an example", elem_id="write-example", min_width=100)
                go = gr.Button("Write", variant="primary", elem_id="write-go", min_width=100)
                stop = offered("Stop", "write-stop")
            offer = build_demo_offer(session, "write")
        with gr.Column(scale=8, min_width=320):
            with gr.Row(equal_height=False):
                cascades = Cascades(session)
                sides = tuple(build_side(place, session, cascades) for place in range(1, MAX_SIDES + 1))
            at_hand = build_at_hand(session, sides)
    watch = gr.Timer(WATCH_S, active=False)
    return WriteTab(form, writers, number, notice, example, stop, go, offer, sides, at_hand, watch)


class _Handlers:
    """The tab's handlers; all they keep is which page's writers are at work, so that Stop finds them."""

    def __init__(self, session: Session, tab: WriteTab) -> None:
        self.tab = tab
        self._session = session
        self._at_work: dict[str, list[Writing]] = {}
        self._lock = threading.Lock()

    def idle(self, values: Values) -> Values:
        """Who would write for the brand; the watch runs while the student starts."""
        return self.seat(values | {side.contender: "" for side in self.tab.sides})

    def seat(self, values: Values) -> Values:
        """Seat who is new, clear the seats of who left; the others keep theirs, with what they wrote."""
        brand = values[self.tab.form.brand]
        offered = _contenders(self._session, brand)
        ids = [id_ for _, id_ in offered]
        chosen = [contender for contender in values[self.tab.writers] or () if contender in ids]
        is_chosen = chosen == values[self.tab.writers]  # what somebody chose meanwhile is then left alone
        shown: Values = {self.tab.writers: gr.Dropdown(offered) if is_chosen else gr.Dropdown(offered, value=chosen)}
        for side, contender in self._seated(values | {self.tab.writers: chosen}):
            shown |= side.idle(brand, contender) if contender != values[side.contender] else {}
        return shown | {self.tab.watch: gr.Timer(active=self._session.student.is_changing)}

    def watch(self, values: Values) -> Values:
        """Who would write now; the watch goes on for as long as that changes. What was written stays."""
        student, brand = self._session.student, values[self.tab.form.brand]
        if student.is_starting:
            return {self.tab.watch: gr.Timer(active=True)}
        shown: Values = {}
        for side, contender in self._seated(values):
            shown |= side.standing(brand, contender) if contender not in (None, TEACHER) else {}
        if not student.is_changing:
            shown[self.tab.writers] = gr.Dropdown(_contenders(self._session, brand))
        return shown | {self.tab.watch: gr.Timer(active=student.is_changing)}

    def brand(self, values: Values) -> Values:
        """Offer another brand's choices."""
        tab = self.tab
        folder = self._session.folder(values[tab.form.brand])
        nothing = tab.at_hand.offered({side.tokens: "" for side in tab.sides})
        usual = [TEACHER, STUDENT]
        writers = {tab.writers: gr.Dropdown(_contenders(self._session, folder.guide.id), value=usual)}
        seats = self.idle(values | {tab.writers: usual})
        return tab.form.emptied(folder) | nothing | {tab.notice: ""} | seats | writers

    def product(self, values: Values) -> Values:
        """Fill in what the catalogue knows."""
        form = self.tab.form
        return form.filled_product(values[form.product], self._session.folder(values[form.brand]))

    def example(self, values: Values) -> Values:
        """Fill in a recorded brief of the brand, another one each time."""
        form, notice = self.tab.form, self.tab.notice
        folder = self._session.folder(values[form.brand])
        briefs = self._session.recorded_briefs(folder.guide.id) or folder.briefs
        shown = (values[form.name], values[form.message])
        others = [b for b in briefs if (b.product.name, b.key_message) != shown]
        if not others:
            return {notice: f"{folder.guide.name} has no briefs to show as examples."}
        return form.filled(random.choice(others), folder) | {notice: ""}

    def write(self, values: Values, request: gr.Request) -> Iterator[Values]:
        """Ask every side at once and show what they write as they write it."""
        tab = self.tab
        try:
            at_work = self._begun(values)
        except BrandVoiceError as error:
            yield {tab.notice: told(error)}
            return
        page = str(request.session_hash)
        with self._lock:
            self._at_work[page] = [writing for _, writing in at_work]
        shown: Values = {tab.notice: "", tab.stop: gr.Button(interactive=True)}
        for side, writing in at_work:
            writing.start()
            shown |= side.started()
        try:
            while at_work:
                yield shown
                at_work[0][1].join(TICK_S)
                going = [(side, writing) for side, writing in at_work if writing.is_alive()]
                shown = {}
                for side, writing in at_work:
                    shown |= side.at_work(writing) if (side, writing) in going else side.done(writing)
                at_work = going
        finally:  # also when the page is gone
            self._stop(page)
        yield shown | {tab.stop: gr.Button(interactive=False)}

    def stop(self, request: gr.Request) -> Values:
        """Tell this page's writers to stop; what they finished stays."""
        self._stop(str(request.session_hash))
        return {self.tab.notice: "", self.tab.stop: gr.Button(interactive=False)}

    def _stop(self, page: str) -> None:
        with self._lock:
            for writing in self._at_work.pop(page, ()):
                writing.stop()

    def loader(self, side: Side) -> Callable[[Values], Values]:
        """A handler that fills in the recorded brief which the side offers."""

        def load(values: Values) -> Values:
            form, notice = self.tab.form, self.tab.notice
            folder = self._session.folder(values[form.brand])
            near = next((b for b in folder.briefs if b.id == values[side.nearest]), None)
            return (form.filled(near, folder) if near else {}) | {notice: ""}

        return load

    def _begun(self, values: Values) -> list[tuple[Side, Writing]]:
        tab, session = self.tab, self._session
        brief = session.known(tab.form.read(values, session.folder(values[tab.form.brand])))
        if not values[tab.writers]:
            raise InputError("Nobody is chosen to write", remedy="choose somebody under Who writes")
        number, seated = int(values[tab.number] or 1), self._seated(values)
        return [(side, _at_work(side, who, brief, number)) for side, who in seated if who is not None]

    def _seated(self, values: Values) -> list[tuple[Side, str | None]]:
        """Every side with who is to sit there: whoever stays keeps the seat, newcomers take the first free ones."""
        chosen = values[self.tab.writers] or []
        seats = [values[side.contender] if values[side.contender] in chosen else None for side in self.tab.sides]
        new = iter([contender for contender in chosen if contender not in seats])
        return [(side, seat or next(new, None)) for side, seat in zip(self.tab.sides, seats, strict=True)]


def _at_work(side: Side, who: str, brief: Brief, number: int) -> Writing:
    """Whoever sits on a side, about to begin."""
    if who == CASCADE:
        return CascadeWriting(side.session, side.cascades, brief, number)
    return Writing(side.session, who, brief, number)


def _contenders(session: Session, brand: str) -> tuple[tuple[str, str], ...]:
    """Who can be chosen: teacher, student, one after the other, and the student's other adapters where served."""
    older = session.student.adapters(brand)[:-1]
    return (("Teacher", TEACHER), ("Student", STUDENT), (TITLE, CASCADE), *((name, name) for name in reversed(older)))
