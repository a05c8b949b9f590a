"""What the Review tab does: the queue is walked, a draft is held while it is read, verdicts are stored and taken back.

The id of the draft in focus and the number of its last review travel with the page (hidden fields), so that a verdict
is on the draft somebody sees, however fast the keys come. The draft a page shows is given to nobody else until the
page goes on or is closed, or ten minutes pass in which nobody looked at the tab. Whoever decides second all the same is
told so; the first verdict stands.
"""

from collections.abc import Callable
from typing import Literal

import gradio as gr

from brand_voice.errors import BrandVoiceError, ConflictError, InputError
from brand_voice.records import Brief, Draft, Finding, Review, Screening, Verdict
from brand_voice.review import review
from brand_voice.screen.similar import masked, nearest
from brand_voice.store.queue import Narrowed, Other, QueueItem
from brand_voice.ui.access import name_of
from brand_voice.ui.ahead import parcel
from brand_voice.ui.brief_form import Values
from brand_voice.ui.copy_view import counter, difference, marked, sentences, told
from brand_voice.ui.review_parts import ReviewTab
from brand_voice.ui.session import Session
from brand_voice.ui.verdicts import Outcome, take_back

MAX_UNDO = 50
DONE: dict[Verdict, str] = {"approve": "Approved.", "edit": "Edit saved.", "reject": "Rejected."}
STANDS: dict[Verdict | None, str] = {None: "waiting", "approve": "approved", "edit": "edited", "reject": "rejected"}


class ReviewDesk:
    """The tab's handlers; the queue and the verdicts are in the store."""

    def __init__(self, session: Session, tab: ReviewTab) -> None:
        self._session = session
        self._store = session.store
        self._tab = tab

    def head(self, values: Values, request: gr.Request) -> Values:
        """The first draft that waits and nobody else holds."""
        return self._shown(values, request, after=None)

    def brand(self, values: Values, request: gr.Request) -> Values:
        """Another brand: its own choices, and the head of its queue."""
        filters = self._tab.filters
        offered = filters.offered(self._session.folder(values[filters.brand]).guide)
        return offered | {self._tab.skipped: []} | self._shown(filters.cleared(values), request, after=None)

    def resume(self, values: Values, request: gr.Request) -> Values:
        """Back on the tab: the draft in focus stays as it is, if it still waits and is not somebody else's by now."""
        current = values[self._tab.draft_id]
        if not current or self._store.hold(current, holder(request)) is None:
            return self.head(values, request)
        return {self._tab.position: self._position(values, current)}

    def renew(self, request: gr.Request) -> None:
        """Somebody still looks at the tab: what the page holds it holds a while longer."""
        self._store.renew(holder(request))

    def leave(self, request: gr.Request) -> None:
        """The page is closed: what it held is free."""
        self._store.release(holder(request))

    def step(self, way: Literal["next", "previous"]) -> Callable[[Values, gr.Request], Values]:
        """A handler that goes to the next or the previous draft; the ends are ends."""

        def go(values: Values, request: gr.Request) -> Values:
            current = values[self._tab.draft_id]
            item = self._store.item(current)
            if item is None:
                return self.head(values, request)
            if self._is_changed(values, item):
                return self._told(told(_unsaved()))
            found = self._claim(values, request, **{"after" if way == "next" else "before": current})
            if found is None:
                return self._told(f"This is the {'last' if way == 'next' else 'first'} draft that is free.")
            return self._focus(values, found)

        return go

    def skip(self, values: Values, request: gr.Request) -> Values:
        """Go on without a verdict; what this page skipped comes again when nothing else is left."""
        current = values[self._tab.draft_id]
        if not current:
            return self.head(values, request)
        skipped = [*values[self._tab.skipped], current]
        shown = self._shown(values | {self._tab.skipped: skipped}, request, after=current)
        return {self._tab.skipped: skipped} | shown

    def decide(self, verdict: Verdict) -> Callable[[Values, gr.Request], Values]:
        """A handler that stores a verdict on the draft in focus and shows the next one."""

        def store_verdict(values: Values, request: gr.Request) -> Values:
            current = values[self._tab.draft_id]
            try:
                decided, said = self._decided(values, verdict, name_of(request, values[self._tab.reviewer]))
            except ConflictError as error:
                return self._shown(values, request, after=current) | self._told(
                    f"Somebody decided this first: {told(error)}"
                )
            except BrandVoiceError as error:
                return self._told(told(error))
            done = [*values[self._tab.decided], [[decided.draft_id, decided.revision]]][-MAX_UNDO:]
            shown = self._shown(values, request, after=current)
            notice = " ".join(filter(None, (said, shown[self._tab.notice])))
            return shown | self._told(notice) | {self._tab.decided: done}

        return store_verdict

    def undo(self, values: Values, request: gr.Request) -> Values:
        """Take this page's last act back, unless somebody decided since; its first draft is in focus again."""

        def first_again(outcome: Outcome) -> Values:
            first = str(next(iter(outcome.stored), [""])[0])
            item = self._store.hold(first, holder(request)) or self._store.item(first)
            return self._focus(values, item) if item else {}

        return self.taken_back(values, request, first_again)

    def taken_back(self, values: Values, request: gr.Request, shown: Callable[[Outcome], Values]) -> Values:
        """Take this page's last act back, a list of verdicts as one; `shown` says what the page shows then."""
        tab = self._tab
        if not values[tab.decided]:
            return self._told("There is nothing to undo: this page has stored no verdict yet.")
        *earlier, act = values[tab.decided]
        try:
            outcome = take_back(self._session, act, name_of(request, values[tab.reviewer]))
        except BrandVoiceError as error:
            return self._told(told(error))
        return shown(outcome) | {tab.decided: earlier} | self._told(outcome.taken_back)

    def recheck(self, values: Values) -> Values:
        """Findings and length of the text as it stands in the box."""
        item = self._store.item(values[self._tab.draft_id])
        if item is None:
            return {self._tab.difference: []}
        text = values[self._tab.copy] or ""
        found = self._findings(text, item.brief, self._session.screen(text, item.brief).findings)
        return found | {self._tab.difference: difference(item.draft.text.strip(), text.strip())}

    def _decided(self, values: Values, verdict: Verdict, reviewer: str) -> tuple[Review, str]:
        tab = self._tab
        item = self._store.item(values[tab.draft_id])
        if item is None:
            raise InputError("There is no draft to decide on", remedy="choose another brand, or clear the filters")
        if verdict == "approve" and self._is_changed(values, item):
            raise _unsaved()
        decided, screening = review(
            item.draft,
            item.brief,
            self._session.screen,
            verdict=verdict,
            text=values[tab.copy] if verdict == "edit" else None,
            reasons=values[tab.reasons],
            note=values[tab.note],
            reviewer=reviewer,
            revision=int(values[tab.revision] or 0) + 1,
        )
        self._store.add_review(decided, screening)
        return decided, f"{DONE[verdict]} {_findings_left(screening)}".strip()

    def _is_changed(self, values: Values, item: QueueItem) -> bool:
        """Whether the text in the box is not the draft's."""
        return (values[self._tab.copy] or "").strip() != item.draft.text.strip()

    def _shown(self, values: Values, request: gr.Request, *, after: str | None) -> Values:
        """The next draft after one, or the first that waits at all, or one skipped before, or that nothing waits."""
        item = self._claim(values, request, after=after) if after else None
        item = item or self._claim(values, request)
        if item is not None:
            return self._focus(values, item)
        if values[self._tab.skipped]:
            again = self._shown(values | {self._tab.skipped: []}, request, after=None)
            return {self._tab.skipped: []} | again | self._told("Only what you skipped is left; here it comes again.")
        return self._empty(values, request)

    def _claim(self, values: Values, request: gr.Request, **place: str | None) -> QueueItem | None:
        brand = values[self._tab.filters.brand]
        return self._store.claim(brand, holder(request), narrowed=self._narrowed(values), **place)

    def _ahead(self, values: Values, request: gr.Request, draft: Draft) -> str:
        """What the page will show after a draft, if nobody takes that away; nothing at the end of the queue."""
        brand = values[self._tab.filters.brand]
        item = self._store.free_after(draft.id, brand, holder(request), narrowed=self._narrowed(values))
        return parcel(draft, self._tab.boxes, self._focus(values, item)) if item else ""

    def _narrowed(self, values: Values) -> Narrowed:
        return self._tab.filters.narrowed(values)._replace(skipped=tuple(values[self._tab.skipped]))

    def _empty(self, values: Values, request: gr.Request) -> Values:
        tab = self._tab
        self._store.release(holder(request))
        return {tab.draft_id: "", tab.revision: "", tab.position: self._nothing(values)} | self._told("")

    def _nothing(self, values: Values) -> str:
        brand = values[self._tab.filters.brand]
        name = self._session.folder(brand).guide.name
        if self._tab.filters.narrowed(values).leaves_out:
            return f"Nothing of {name} that fits the filters waits, or somebody else holds it."
        what = f"Nothing of {name} waits for review, or somebody else holds it. Send a text from the Write tab, "
        return f"{what}or run: brand-voice generate --brand {brand}"

    def _focus(self, values: Values, item: QueueItem) -> Values:
        tab, draft, brief = self._tab, item.draft, item.brief
        findings = item.screening.findings if item.screening else self._session.screen(draft.text, brief).findings
        # Of another draft the page asks for the position itself (`context`): counting is for after the text is there.
        return {
            **tab.brief.shown(brief),
            tab.draft_id: draft.id,
            tab.revision: str(item.revision),
            **({tab.position: self._position(values, draft.id)} if draft.id == values[tab.draft_id] else {}),
            tab.who: f"{draft.author.capitalize()} · {draft.adapter or draft.model}",
            tab.marked: marked(draft.text, findings),
            tab.copy: draft.text,
            tab.difference: [],
            tab.reasons: [],
            tab.note: "",
            **self._findings(draft.text, brief, findings),
            **self._told(""),
        }

    def context(self, values: Values, request: gr.Request) -> Values:
        """Where the draft in focus stands, the other texts for its brief, the approved one most like it, the next."""
        tab = self._tab
        item = self._store.item(values[tab.draft_id])
        if item is None:
            return {tab.position: self._nothing(values), tab.others: "", tab.nearest: "", tab.ahead: ""}
        others = (f"{_status(other)}: {other.text}" for other in self._store.others(item.draft.id))
        approved = self._store.approved_texts(item.draft.brand, item.brief.channel, but=item.brief.hash)
        found = nearest(masked(item.draft.text, item.brief), approved)
        like = f"{found[1]:.0%} alike: {approved[found[0]]}" if found else ""
        return {
            tab.position: self._position(values, item.draft.id),
            tab.others: "\n".join(others),
            tab.nearest: like,
            tab.ahead: self._ahead(values, request, item.draft),
        }

    def _position(self, values: Values, draft_id: str) -> str:
        filters = self._tab.filters
        place = self._store.place(values[filters.brand], draft_id, narrowed=filters.narrowed(values))
        return f"{place.position} of {place.total} in the queue"

    def _findings(self, text: str, brief: Brief, findings: tuple[Finding, ...]) -> Values:
        guide = self._session.folder(brief.brand).guide
        return {self._tab.count: counter(text, brief, guide), self._tab.findings: sentences(findings)}

    def _told(self, message: str) -> Values:
        return {self._tab.notice: message}


def _unsaved() -> InputError:
    return InputError("You changed the text", remedy="press Save edit, or take your change back (Ctrl+Z)")


def _findings_left(screening: Screening | None) -> str:
    """What is to be said of an edited text."""
    if screening is None:
        return ""
    return f"The new text was screened. Findings: {sentences(screening.findings)}"


def _status(other: Other) -> str:
    return f"{other.author.capitalize()}, {STANDS[other.verdict]}"


def holder(request: gr.Request) -> str:
    """The page: each opened one is a holder of its own."""
    return str(request.session_hash)
