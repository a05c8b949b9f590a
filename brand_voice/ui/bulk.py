"""What the list of drafts without findings does: shown, sized, approved at one stroke, taken back.

The whole list is leased to the page. What was left unticked is not listed again before the list is closed: it would
come back ticked. The ids and revisions that the page shows are kept beside it, so that a verdict is on what somebody
read; only what is both ticked and listed is approved.
"""

from collections.abc import Callable, Container

import gradio as gr

from brand_voice.errors import BrandVoiceError
from brand_voice.store.queue import Narrowed
from brand_voice.ui.access import name_of
from brand_voice.ui.brief_form import Values
from brand_voice.ui.bulk_view import SIZES
from brand_voice.ui.copy_view import told
from brand_voice.ui.review_desk import MAX_UNDO, ReviewDesk, holder
from brand_voice.ui.review_parts import ReviewTab
from brand_voice.ui.session import Session
from brand_voice.ui.verdicts import approve_all


class BulkDesk:
    """The list's handlers; queue, leases and verdicts are in the store."""

    def __init__(self, session: Session, tab: ReviewTab, desk: ReviewDesk) -> None:
        self._session = session
        self._store = session.store
        self._tab = tab
        self._view = tab.bulk
        self._desk = desk

    def open(self, values: Values, request: gr.Request) -> Values:
        """The list instead of the one draft."""
        fresh = values | {self._view.size: str(SIZES[0]), self._view.passed: [], self._view.listed: []}
        return {self._view.size: str(SIZES[0]), self._view.passed: []} | self._listed(fresh, request)

    def close(self, values: Values, request: gr.Request) -> Values:
        """Back to one draft; what the list held is free."""
        view = self._view
        self._store.release(holder(request))
        shut = view.shown(()) | {view.size: "", view.passed: [], self._tab.notice: ""}
        return shut | self._desk.resume(values, request)

    def resize(self, size: int) -> Callable[[Values, gr.Request], Values]:
        """A handler that lists so many; what was unticked stays so."""

        def list_so_many(values: Values, request: gr.Request) -> Values:
            return {self._view.size: str(size)} | self.refresh(values | {self._view.size: str(size)}, request)

        return list_so_many

    def refresh(self, values: Values, request: gr.Request) -> Values:
        """The list by the filters as they are now."""
        return self._listed(values, request, unticked=self._unticked(values))

    def brand(self, values: Values, request: gr.Request) -> Values:
        """Another brand: its own choices, and its list."""
        tab = self._tab
        offered = tab.filters.offered(self._session.folder(values[tab.filters.brand]).guide)
        fresh = tab.filters.cleared(values) | {tab.skipped: []}
        return offered | {tab.skipped: []} | self._listed(fresh, request)

    def resume(self, values: Values, request: gr.Request) -> Values:
        """Back on the tab: the list stays as it is, unless somebody was given some of it meanwhile."""
        held = self._store.renew(holder(request))
        if all(id_ in held for id_, _ in values[self._view.listed]):
            return {}
        return self.refresh(values, request) | self._told("Somebody was given some of these meanwhile; a new list.")

    def approve(self, values: Values, request: gr.Request) -> Values:
        """Approve what is ticked, and list the next drafts."""
        tab, view = self._tab, self._view
        seen = {id_: int(revision) for id_, revision in values[view.listed] if id_ in values[view.rows]}
        if not seen:
            return self._told("Nothing is ticked.")
        try:
            outcome = approve_all(self._session, seen, name_of(request, values[tab.reviewer]))
        except BrandVoiceError as error:
            return self._told(told(error))
        passed = [*values[view.passed], *self._unticked(values)]
        acts = [*values[tab.decided], *([outcome.stored] if outcome.stored else [])][-MAX_UNDO:]
        said = f"Approved {len(outcome.stored)}. {_first(outcome.refused)}".strip()
        shown = self._listed(values | {view.passed: passed}, request)
        return shown | {view.passed: passed, tab.decided: acts} | self._told(said)

    def undo(self, values: Values, request: gr.Request) -> Values:
        """Take this page's last act back, a list of verdicts as one; what waits again is listed again."""
        return self._desk.taken_back(values, request, lambda _: self.refresh(values, request))

    def _listed(self, values: Values, request: gr.Request, unticked: Container[str] = ()) -> Values:
        tab, filters, view = self._tab, self._tab.filters, self._view
        narrowed = filters.narrowed(values)
        if narrowed.worst not in (None, "none"):
            self._store.release(holder(request))
            what = "This list holds drafts without findings; the filter Worst finding asks for others."
            return view.shown(()) | {view.position: what} | self._told("")
        left_out = (*values[tab.skipped], *values[view.passed])
        narrowed = narrowed._replace(worst="none", skipped=left_out)
        brand, limit = values[filters.brand], int(values[view.size])
        items = self._store.claim_list(brand, holder(request), narrowed=narrowed, limit=limit)
        shown = view.shown(items, unticked)
        return shown | {view.position: self._position(brand, narrowed, len(items))} | self._told("")

    def _position(self, brand: str, narrowed: Narrowed, shown: int) -> str:
        if shown:
            return f"{shown} of {self._store.waiting(brand, narrowed=narrowed)} drafts without findings"
        aside = ", but for what you skipped or left unticked" if narrowed.skipped else ""
        name = self._session.folder(brand).guide.name
        return f"Nothing of {name} without findings waits that fits the filters and is free{aside}."

    def _unticked(self, values: Values) -> list[str]:
        return [id_ for id_, _ in values[self._view.listed] if id_ not in values[self._view.rows]]

    def _told(self, message: str) -> Values:
        return {self._tab.notice: message}


def _first(refused: tuple[str, ...]) -> str:
    """What is to be said of drafts that somebody else decided on first."""
    return "\n".join(["Somebody decided on these first; their verdict stands:", *refused]) if refused else ""
