"""Review: the queue of a brand, one draft in focus, three verdicts; what is pressed calls what the desk does."""

import gradio as gr

from brand_voice.records import Verdict
from brand_voice.ui.access import name_of
from brand_voice.ui.review_desk import ReviewDesk
from brand_voice.ui.review_parts import build_review_parts
from brand_voice.ui.rules_panel import build_rules_panel
from brand_voice.ui.session import Session


def build_review_tab(session: Session, page: gr.Blocks, tab_item: gr.Tab, remembered: gr.BrowserState) -> None:
    """Lay the tab out and wire it; `remembered` keeps the reviewer's name in the browser.

    It has to stand outside of the tabs: Gradio (6.31) reads it only where it is mounted, and a tab is so when opened.
    """
    tab = build_review_parts(session)
    desk = ReviewDesk(session, tab)
    quick, reviewer = {"show_progress": "hidden"}, session.access.needs("reviewer")
    copywriter = session.access.needs("copywriter")
    page.load(copywriter(name_of), remembered, tab.reviewer, api_name="review_reviewer", **quick)
    tab.reviewer.blur(copywriter(name_of), tab.reviewer, remembered, api_name="review_remember", **quick)
    at = {*tab.filters, tab.draft_id, tab.copy, tab.skipped}
    moved = {*tab.focus, tab.skipped}
    tab_item.select(reviewer(desk.resume), at, moved, api_name="review_open", **quick)
    tab.filters.brand.input(
        reviewer(desk.brand), at, {*moved, *tab.filters} - {tab.filters.brand}, api_name="review_brand", **quick
    )
    for part in (tab.filters.channel, tab.filters.author, tab.filters.worst, tab.filters.locale):
        api_name = f"review_by_{part.elem_id.removeprefix('review-')}"
        part.input(reviewer(desk.head), at, moved, api_name=api_name, **quick)
    tab.filters.text.submit(reviewer(desk.head), at, moved, api_name="review_search", **quick)
    tab.next.click(reviewer(desk.step("next")), at, moved, api_name="review_next", **quick)
    tab.previous.click(reviewer(desk.step("previous")), at, moved, api_name="review_previous", **quick)
    tab.skip.click(reviewer(desk.skip), at, moved, api_name="review_skip", **quick)
    said = {*at, tab.revision, tab.reasons, tab.note, tab.reviewer, tab.decided}
    decided = {*moved, tab.decided}
    buttons: dict[Verdict, gr.Button] = {"approve": tab.approve, "edit": tab.edit, "reject": tab.reject}
    for verdict, button in buttons.items():
        button.click(reviewer(desk.decide(verdict)), said, decided, api_name=f"review_{verdict}", **quick)
    tab.undo.click(reviewer(desk.undo), said, decided, api_name="review_undo", **quick)
    beside = {tab.others, tab.nearest}
    tab.draft_id.change(reviewer(desk.context), {tab.draft_id}, beside, api_name="review_context", **quick)
    # Not `input`: Gradio 6.31 swallows the first one after an update, so a pasted text would go unchecked.
    tab.copy.change(
        reviewer(desk.recheck),
        {tab.draft_id, tab.copy},
        {tab.difference, tab.count, tab.findings},
        trigger_mode="always_last",
        api_name="review_recheck",
        **quick,
    )
    build_rules_panel(session, tab_item, tab.filters.brand, tab.reviewer)
