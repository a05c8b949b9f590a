"""Review: the queue of a brand, one draft in focus, three verdicts; what is pressed calls what the desk does."""

import gradio as gr

from brand_voice.records import Verdict
from brand_voice.ui.demo_offer import build_demo_offer
from brand_voice.ui.import_panel import build_import_panel
from brand_voice.ui.review_desk import ReviewDesk
from brand_voice.ui.review_parts import build_review_parts
from brand_voice.ui.session import Session


def build_review_tab(session: Session, page: gr.Blocks, tab_item: gr.Tab, remembered: gr.BrowserState) -> None:
    """Lay the tab out and wire it; `remembered` keeps the reviewer's name in the browser.

    It has to stand outside of the tabs: Gradio (6.31) reads it only where it is mounted, and a tab is so when opened.
    """
    offer = build_demo_offer(session, "review")
    tab = build_review_parts(session)
    imported = build_import_panel(session, tab.filters.brand, tab.reviewer)
    desk = ReviewDesk(session, tab)
    quick = {"show_progress": "hidden"}
    page.load(lambda name: name, remembered, tab.reviewer, api_name="review_reviewer", **quick)
    tab.reviewer.blur(lambda name: name, tab.reviewer, remembered, api_name="review_remember", **quick)
    at = {*tab.filters, tab.draft_id, tab.copy, tab.skipped}
    moved = {*tab.focus, tab.skipped}
    tab_item.select(desk.resume, at, moved, api_name="review_open", **quick)
    offer.wire(page, tab.filters.brand, tab_item.select, imported.change)
    offer.loaded.change(desk.resume, at, moved, api_name="review_loaded", **quick)
    tab.filters.brand.input(
        desk.brand, at, {*moved, *tab.filters} - {tab.filters.brand}, api_name="review_brand", **quick
    )
    for part in (tab.filters.channel, tab.filters.author, tab.filters.worst, tab.filters.locale):
        part.input(desk.head, at, moved, api_name=f"review_by_{part.elem_id.removeprefix('review-')}", **quick)
    tab.filters.text.submit(desk.head, at, moved, api_name="review_search", **quick)
    tab.next.click(desk.step("next"), at, moved, api_name="review_next", **quick)
    tab.previous.click(desk.step("previous"), at, moved, api_name="review_previous", **quick)
    tab.skip.click(desk.skip, at, moved, api_name="review_skip", **quick)
    said = {*at, tab.revision, tab.reasons, tab.note, tab.reviewer, tab.decided}
    decided = {*moved, tab.decided}
    buttons: dict[Verdict, gr.Button] = {"approve": tab.approve, "edit": tab.edit, "reject": tab.reject}
    for verdict, button in buttons.items():
        button.click(desk.decide(verdict), said, decided, api_name=f"review_{verdict}", **quick)
    tab.undo.click(desk.undo, said, decided, api_name="review_undo", **quick)
    tab.draft_id.change(desk.context, {tab.draft_id}, {tab.others, tab.nearest}, api_name="review_context", **quick)
    # Not `input`: Gradio 6.31 swallows the first one after an update, so a pasted text would go unchecked.
    tab.copy.change(
        desk.recheck,
        {tab.draft_id, tab.copy},
        {tab.difference, tab.count, tab.findings},
        trigger_mode="always_last",
        api_name="review_recheck",
        **quick,
    )
