"""Load the demo data: what a brand with recordings offers while it has no drafts, so that there is something to review.

What is loaded is what `brand-voice demo` would store up to the reviews, less the last verdicts, which are left for the
person at the page. It is one errand a brand: every page sees how far it is, and any may cancel it. What was stored by
then stays, and the same button goes on from there.
"""

from collections.abc import Callable
from typing import NamedTuple

import gradio as gr

from brand_voice import demo
from brand_voice.ui.brief_form import Values
from brand_voice.ui.copy_view import told
from brand_voice.ui.errand import Errand
from brand_voice.ui.events import quick
from brand_voice.ui.parts import offered, quiet
from brand_voice.ui.session import Session

WATCH_S = 0.3
"""How often a page looks how far the loading is."""
ORIGIN = "The recorded copy was written by a language model, and the brands that come with brand_voice are fictional."


class DemoOffer(NamedTuple):
    """The offer's components in one tab; all of them are invisible while there is nothing to offer."""

    session: Session
    tab: str
    says: gr.Textbox
    load: gr.Button
    cancel: gr.Button
    watch: gr.Timer
    loaded: gr.State
    """How often this page saw the data come; its `change` is the moment to show it."""

    def wire(self, page: gr.Blocks, brand: gr.Dropdown, *moments: Callable[..., object]) -> None:
        """Make the offer for the brand that a dropdown has; at `moments` (listeners) it may have become due or void."""
        options, access = quick(self.loaded), self.session.access
        copywriter, admin = access.needs("copywriter"), access.needs("admin")
        parts = {self.says, self.load, self.cancel, self.watch}
        handlers = _Handlers(self, brand)
        for number, moment in enumerate((page.load, brand.input, *moments)):
            moment(copywriter(handlers.look), {brand}, parts, api_name=f"{self.tab}_demo_{number}", **options)
        self.load.click(admin(handlers.start), {brand}, parts, api_name=f"{self.tab}_demo_load", **options)
        self.cancel.click(admin(handlers.cancel), {brand}, parts, api_name=f"{self.tab}_demo_cancel", **options)
        self.watch.tick(
            copywriter(handlers.tick),
            {brand, self.loaded},
            {*parts, self.loaded},
            api_name=f"{self.tab}_demo_watch",
            **options,
        )


def build_demo_offer(session: Session, tab: str) -> DemoOffer:
    """Lay the offer out; every id begins with the tab's name."""
    says = quiet("Demo data", elem_id=f"{tab}-demo", notice=True)
    with gr.Row(elem_classes="bv-few"):
        load = offered("Load the demo data", f"{tab}-demo-load")
        cancel = offered("Cancel", f"{tab}-demo-cancel")
    return DemoOffer(session, tab, says, load, cancel, gr.Timer(WATCH_S, active=False), gr.State(0))


class _Handlers:
    """The offer's handlers; the errand is the session's."""

    def __init__(self, offer: DemoOffer, brand: gr.Dropdown) -> None:
        self._offer = offer
        self._session = offer.session
        self._brand = brand

    def look(self, values: Values) -> Values:
        """What there is to say now: how far the loading is, the offer, or nothing."""
        brand = values[self._brand]
        errand = self._errand(brand)
        if errand is not None and errand.is_alive():
            said = f"Loading the demo data. {errand.standing}"
            return self._shown(said, can_cancel=not errand.is_called_off, is_at_work=True)
        if not self._is_due(brand):
            return self._shown("")
        error = errand.outcome() if errand is not None else None
        return self._shown(told(error) if error else self._offered(brand), can_load=True)

    def start(self, values: Values) -> Values:
        """Begin to load in the background, or watch whoever did."""
        brand = values[self._brand]
        self._session.errands.start(_name(brand), lambda track: demo.load(self._session.context(brand, track)))
        return self.look(values)

    def cancel(self, values: Values) -> Values:
        """Stop after what is under way."""
        self._session.errands.call_off(_name(values[self._brand]))
        return self.look(values)

    def tick(self, values: Values) -> Values:
        """How far the loading is; once it is over, what came of it."""
        brand = values[self._brand]
        shown = self.look(values)
        errand = self._errand(brand)
        if errand is None or not errand.is_done or errand.is_alive():
            return shown
        return shown | self._shown(self._summary(brand)) | {self._offer.loaded: values[self._offer.loaded] + 1}

    def _errand(self, brand: str) -> Errand | None:
        return self._session.errands.get(_name(brand))

    def _is_due(self, brand: str) -> bool:
        """Whether the brand has recordings that are not loaded to their end, and nothing else."""
        folder, store = self._session.folder(brand), self._session.store
        if not folder.recordings or not store.is_untouched(brand):
            return False
        return bool(folder.reviews) or not store.ok_draft_ids(brand)

    def _offered(self, brand: str) -> str:
        folder = self._session.folder(brand)
        count, spare = len(folder.recordings), demo.spared(folder)
        if self._session.store.ok_draft_ids(brand):
            return f"The demo data of {folder.guide.name} is loaded in part; the button goes on from there. {ORIGIN}"
        return (
            f"{folder.guide.name} has no drafts yet. The demo data is {count} recorded texts: {count - spare} come "
            f"with their recorded verdicts, {spare} are left for you to review. {ORIGIN}"
        )

    def _summary(self, brand: str) -> str:
        counts = self._session.store.counts(brand)
        return (
            f"The demo data is loaded: {counts.drafts} drafts, {counts.drafts - counts.unreviewed} with the recorded "
            f"verdict; {counts.unreviewed} wait for yours in the Review tab. {ORIGIN}"
        )

    def _shown(
        self, said: str, *, can_load: bool = False, can_cancel: bool = False, is_at_work: bool = False
    ) -> Values:
        return {
            self._offer.says: said,
            self._offer.load: gr.Button(interactive=can_load),
            self._offer.cancel: gr.Button(interactive=can_cancel),
            self._offer.watch: gr.Timer(active=is_at_work),
        }


def _name(brand: str) -> str:
    return f"demo/{brand}"
