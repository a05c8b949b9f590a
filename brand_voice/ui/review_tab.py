"""Review: the queue of a brand, one draft in focus, three verdicts.

The id of the draft in focus travels with the page (a hidden field), so that a verdict is on the draft somebody sees,
however fast the keys come. Whoever decides second is told so; the first verdict stands.
"""

from collections.abc import Callable
from typing import NamedTuple, get_args

import gradio as gr

from brand_voice.errors import BrandVoiceError, ConflictError, InputError
from brand_voice.records import Author, Brief, Finding, Reason, Review, Screening, Verdict
from brand_voice.review import review
from brand_voice.store.store import QueueItem
from brand_voice.ui.brief_form import Values, brand_choices
from brand_voice.ui.brief_view import BriefView, build_brief_view
from brand_voice.ui.copy_view import counter, highlighted, sentences, spoken, told
from brand_voice.ui.session import Session
from brand_voice.ui.side import quiet
from brand_voice.ui.theme import SEVERITY_COLOURS

AUTHORS: list[tuple[str, str]] = [("Everybody", ""), ("Teacher", "teacher"), ("Student", "student")]
REASONS = [(f"{number} {spoken(reason)}", reason) for number, reason in enumerate(get_args(Reason), start=1)]
MAX_UNDO = 50
DONE: dict[Verdict, str] = {"approve": "Approved.", "edit": "Edit saved.", "reject": "Rejected."}


class ReviewTab(NamedTuple):
    """The tab's components."""

    brand: gr.Dropdown
    author: gr.Dropdown
    reviewer: gr.Textbox
    notice: gr.Textbox
    position: gr.Textbox
    brief: BriefView
    draft_id: gr.Textbox
    who: gr.Textbox
    marked: gr.HighlightedText
    copy: gr.Textbox
    count: gr.Textbox
    findings: gr.Textbox
    reasons: gr.CheckboxGroup
    note: gr.Textbox
    approve: gr.Button
    edit: gr.Button
    reject: gr.Button
    undo: gr.Button
    previous: gr.Button
    next: gr.Button
    revision: gr.Textbox
    """Number of the last review of the draft in focus; travels with the page like its id."""
    decided: gr.State
    """What this page decided, the last one last: ids and revisions."""

    @property
    def focus(self) -> set[gr.Component]:
        """What changes with the draft in focus."""
        return {
            *self.brief.components,
            *(self.position, self.draft_id, self.revision, self.who, self.marked, self.copy),
            *(self.count, self.findings, self.reasons, self.note, self.notice),
        }


def build_review_tab(session: Session, page: gr.Blocks, tab_item: gr.Tab, remembered: gr.BrowserState) -> None:
    """Lay the tab out and wire it; `remembered` keeps the reviewer's name in the browser.

    It has to stand outside of the tabs: Gradio (6.31) reads it only where it is mounted, and a tab is so when opened.
    """
    tab = _layout(session)
    handlers = _Handlers(session, tab)
    quick = {"show_progress": "hidden"}
    filters = {tab.brand, tab.author}
    page.load(lambda name: name, remembered, tab.reviewer, api_name="review_reviewer", **quick)
    tab.reviewer.blur(lambda name: name, tab.reviewer, remembered, api_name="review_remember", **quick)
    at = {*filters, tab.draft_id, tab.copy}
    tab_item.select(handlers.resume, at, tab.focus, api_name="review_open", **quick)
    tab.brand.input(handlers.head, filters, tab.focus, api_name="review_brand", **quick)
    tab.author.input(handlers.head, filters, tab.focus, api_name="review_author", **quick)
    tab.next.click(handlers.step("next"), at, tab.focus, api_name="review_next", **quick)
    tab.previous.click(handlers.step("previous"), at, tab.focus, api_name="review_previous", **quick)
    said = {*at, tab.revision, tab.reasons, tab.note, tab.reviewer, tab.decided}
    decided = {*tab.focus, tab.decided}
    buttons: dict[Verdict, gr.Button] = {"approve": tab.approve, "edit": tab.edit, "reject": tab.reject}
    for verdict, button in buttons.items():
        button.click(handlers.decide(verdict), said, decided, api_name=f"review_{verdict}", **quick)
    tab.undo.click(handlers.undo, said, decided, api_name="review_undo", **quick)
    # Not `input`: Gradio 6.31 swallows the first one after an update, so a pasted text would go unchecked.
    tab.copy.change(
        handlers.recheck,
        {tab.brand, tab.draft_id, tab.copy},
        {tab.count, tab.findings},
        trigger_mode="always_last",
        api_name="review_recheck",
        **quick,
    )


def _layout(session: Session) -> ReviewTab:
    with gr.Row():
        brand = gr.Dropdown(
            brand_choices(session), value=session.first_brand.guide.id, label="Brand", elem_id="review-brand"
        )
        author = gr.Dropdown(AUTHORS, value="", label="Written by", elem_id="review-author")
        reviewer = gr.Textbox(
            label="Your name", max_lines=1, placeholder="Stands on every verdict", elem_id="review-reviewer"
        )
    notice = quiet("Notice", elem_id="review-notice", notice=True)
    position = quiet("Position in the queue", elem_id="review-position", subdued=True)
    with gr.Row(equal_height=False, elem_classes="bv-desk"):
        with gr.Column(scale=4, min_width=300, elem_classes=["bv-card", "bv-facts"]):
            brief = build_brief_view()
        with gr.Column(scale=7, min_width=300, elem_classes="bv-card"):
            gr.HTML("<h2>Copy</h2>", padding=False, elem_classes="bv-title")
            who = quiet("Author", subdued=True)
            marked = gr.HighlightedText(
                [],
                label="As written",
                color_map=SEVERITY_COLOURS,
                show_whitespaces=True,
                container=False,
                show_label=False,
                elem_id="review-marked",
                elem_classes="bv-copy",
            )
            copy = gr.Textbox(
                label="Text", lines=3, max_lines=14, interactive=True, elem_id="review-copy", elem_classes="bv-edit"
            )
            count = quiet("Length", elem_id="review-count")
            findings = quiet("Findings", elem_id="review-findings", show_label=True)
            reasons = gr.CheckboxGroup(REASONS, label="Reasons (a rejection needs one)", elem_id="review-reasons")
            note = gr.Textbox(label="Note", max_lines=4, elem_id="review-note")
            with gr.Row():
                approve = gr.Button("Approve (A)", variant="primary", elem_id="review-approve", min_width=80)
                edit = gr.Button("Save edit (E)", elem_id="review-edit", min_width=80)
                reject = gr.Button("Reject (R)", elem_id="review-reject", min_width=80)
            with gr.Row():
                undo = gr.Button("Undo (U)", size="sm", elem_id="review-undo", min_width=80)
                previous = gr.Button("Previous (K)", size="sm", elem_id="review-previous", min_width=80)
                next_ = gr.Button("Next (J)", size="sm", elem_id="review-next", min_width=80)
        draft_id = gr.Textbox(visible="hidden", placeholder=" ", elem_id="review-draft-id", label="Draft")
        revision = gr.Textbox(visible="hidden", elem_id="review-revision", label="Reviews of it so far")
    return ReviewTab(
        brand=brand,
        author=author,
        reviewer=reviewer,
        notice=notice,
        position=position,
        brief=brief,
        draft_id=draft_id,
        who=who,
        marked=marked,
        copy=copy,
        count=count,
        findings=findings,
        reasons=reasons,
        note=note,
        approve=approve,
        edit=edit,
        reject=reject,
        undo=undo,
        previous=previous,
        next=next_,
        revision=revision,
        decided=gr.State([]),
    )


class _Handlers:
    """The tab's handlers; the queue and the verdicts are in the store."""

    def __init__(self, session: Session, tab: ReviewTab) -> None:
        self._session = session
        self._store = session.store
        self._tab = tab

    def head(self, values: Values) -> Values:
        """The first draft that waits."""
        return self._shown(values, after=None)

    def resume(self, values: Values) -> Values:
        """Back on the tab: the draft in focus stays as it is, if it still waits."""
        current = values[self._tab.draft_id]
        if not current or not self._store.waits(current):
            return self.head(values)
        place = self._store.place(values[self._tab.brand], current, author=self._author(values))
        return {self._tab.position: f"{place.position} of {place.total} in the queue"}

    def step(self, way: str) -> Callable[[Values], Values]:
        """A handler that goes to the next or the previous draft; the ends are ends."""

        def go(values: Values) -> Values:
            current = values[self._tab.draft_id]
            item = self._store.item(current)
            if item is None:
                return self.head(values)
            if self._is_changed(values, item):
                return self._told(told(_unsaved()))
            place = self._store.place(values[self._tab.brand], current, author=self._author(values))
            target = place.next if way == "next" else place.previous
            if target is None:
                return self._told(f"This is the {'last' if way == 'next' else 'first'} draft in the queue.")
            found = self._store.item(target)
            return self._focus(values, found) if found else self.head(values)

        return go

    def decide(self, verdict: Verdict) -> Callable[[Values], Values]:
        """A handler that stores a verdict on the draft in focus and shows the next one."""

        def store_verdict(values: Values) -> Values:
            current = values[self._tab.draft_id]
            try:
                decided, said = self._decided(values, verdict)
            except ConflictError as error:
                return self._shown(values, after=current) | self._told(f"Somebody decided this first: {told(error)}")
            except BrandVoiceError as error:
                return self._told(told(error))
            done = [*values[self._tab.decided], [decided.draft_id, decided.revision]][-MAX_UNDO:]
            return self._shown(values, after=current) | self._told(said) | {self._tab.decided: done}

        return store_verdict

    def undo(self, values: Values) -> Values:
        """Take this page's last verdict back, unless somebody decided since; its draft waits again, in focus."""
        tab = self._tab
        if not values[tab.decided]:
            return self._told("There is nothing to undo: this page has stored no verdict yet.")
        *earlier, (draft_id, revision) = values[tab.decided]
        item = self._store.item(draft_id)
        if item is None or item.revision != revision:
            return self._told("Somebody decided on that draft since; nothing was undone.") | {tab.decided: earlier}
        try:
            undone, _ = review(
                item.draft,
                item.brief,
                self._screen,
                verdict="undo",
                reviewer=values[tab.reviewer] or "",
                revision=revision + 1,
            )
            self._store.add_review(undone)
        except BrandVoiceError as error:
            return self._told(told(error))
        item = item._replace(revision=revision + 1)
        return self._focus(values, item) | self._told("Taken back; the draft waits again.") | {tab.decided: earlier}

    def recheck(self, values: Values) -> Values:
        """Findings and length of the text as it stands in the box."""
        item = self._store.item(values[self._tab.draft_id])
        if item is None:
            return {}
        text = values[self._tab.copy] or ""
        return self._findings(text, item.brief, self._screen(text, item.brief).findings)

    def _decided(self, values: Values, verdict: Verdict) -> tuple[Review, str]:
        tab = self._tab
        item = self._store.item(values[tab.draft_id])
        if item is None:
            raise InputError("There is no draft to decide on", remedy="choose another brand or author")
        if verdict == "approve" and self._is_changed(values, item):
            raise _unsaved()
        decided, screening = review(
            item.draft,
            item.brief,
            self._screen,
            verdict=verdict,
            text=values[tab.copy] if verdict == "edit" else None,
            reasons=values[tab.reasons],
            note=values[tab.note],
            reviewer=values[tab.reviewer] or "",
            revision=int(values[tab.revision] or 0) + 1,
        )
        self._store.add_review(decided, screening)
        return decided, f"{DONE[verdict]} {_findings_left(screening)}".strip()

    def _is_changed(self, values: Values, item: QueueItem) -> bool:
        """Whether the text in the box is not the draft's."""
        return (values[self._tab.copy] or "").strip() != item.draft.text.strip()

    def _screen(self, text: str, brief: Brief) -> Screening:
        return self._session.screener(brief.brand).screen(text, brief)

    def _author(self, values: Values) -> Author | None:
        return values[self._tab.author] or None

    def _shown(self, values: Values, *, after: str | None) -> Values:
        """The next draft that waits after one, or the first that waits at all, or that nothing waits."""
        brand, author = values[self._tab.brand], self._author(values)
        items = self._store.queue(brand, limit=1, after=after, author=author) if after else ()
        items = items or self._store.queue(brand, limit=1, author=author)
        return self._focus(values, items[0]) if items else self._empty(brand)

    def _empty(self, brand: str) -> Values:
        tab = self._tab
        name = self._session.folder(brand).guide.name
        more = f"Send a text from the Write tab, or run: brand-voice generate --brand {brand}"
        what = f"Nothing of {name} waits for review. {more}"
        return {tab.draft_id: "", tab.position: what} | self._told("")

    def _focus(self, values: Values, item: QueueItem) -> Values:
        tab, draft, brief = self._tab, item.draft, item.brief
        place = self._store.place(draft.brand, draft.id, author=self._author(values))
        findings = item.screening.findings if item.screening else self._screen(draft.text, brief).findings
        has_spans = any(f.start is not None for f in findings)
        return {
            **tab.brief.shown(brief),
            tab.draft_id: draft.id,
            tab.revision: str(item.revision),
            tab.position: f"{place.position} of {place.total} in the queue",
            tab.who: f"{draft.author.capitalize()} · {draft.adapter or draft.model}",
            tab.marked: highlighted(draft.text, findings) if has_spans else [],
            tab.copy: draft.text,
            tab.reasons: [],
            tab.note: "",
            **self._findings(draft.text, brief, findings),
            **self._told(""),
        }

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
