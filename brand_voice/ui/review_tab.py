"""Review: the queue of a brand, one draft in focus or a list, verdicts; what is pressed calls what the desks do."""

from collections.abc import Callable

import gradio as gr

from brand_voice.records import Verdict
from brand_voice.ui.access import Declare, Handler, name_of
from brand_voice.ui.ahead import settle
from brand_voice.ui.brief_form import Values
from brand_voice.ui.bulk import BulkDesk
from brand_voice.ui.bulk_view import COUNTED
from brand_voice.ui.demo_offer import build_demo_offer
from brand_voice.ui.events import direct
from brand_voice.ui.import_panel import build_import_panel
from brand_voice.ui.keys import FIRST_ROW
from brand_voice.ui.review_desk import ReviewDesk
from brand_voice.ui.review_parts import ReviewTab, build_review_parts
from brand_voice.ui.rules_panel import build_rules_panel
from brand_voice.ui.session import Session

RENEW_S = 240.0
"""How often a page that somebody looks at renews its leases: twice in the life of one."""


def build_review_tab(session: Session, page: gr.Blocks, tab_item: gr.Tab, remembered: gr.BrowserState) -> None:
    """Lay the tab out and wire it; `remembered` keeps the reviewer's name in the browser.

    It has to stand outside of the tabs: Gradio (6.31) reads it only where it is mounted, and a tab is so when opened.
    """
    offer = build_demo_offer(session, "review")
    tab = build_review_parts(session)
    options = direct(tab.decided)
    imported = build_import_panel(session, tab.filters.brand, tab.reviewer)
    desk = ReviewDesk(session, tab)
    bulk = BulkDesk(session, tab, desk)
    reviewer, copywriter = session.access.needs("reviewer"), session.access.needs("copywriter")
    page.load(copywriter(name_of), remembered, tab.reviewer, api_name="review_reviewer", **options)
    tab.reviewer.blur(copywriter(name_of), tab.reviewer, remembered, api_name="review_remember", **options)
    at = {*tab.filters, tab.draft_id, tab.copy, tab.skipped}
    moved = {*tab.focus, tab.skipped}
    _wire_both(tab, tab_item, (desk, bulk), reviewer)
    offer.wire(page, tab.filters.brand, tab_item.select, imported.change)
    offer.loaded.change(reviewer(desk.resume), at, moved, api_name="review_loaded", **options)
    onward = [
        tab.next.click(reviewer(desk.step("next")), at, moved, api_name="review_next", **options),
        tab.skip.click(reviewer(desk.skip), at, moved, api_name="review_skip", **options),
    ]
    tab.previous.click(reviewer(desk.step("previous")), at, moved, api_name="review_previous", **options)
    said = {*at, tab.revision, tab.reasons, tab.note, tab.reviewer, tab.decided}
    decided = {*moved, tab.decided}
    buttons: dict[Verdict, gr.Button] = {"approve": tab.approve, "edit": tab.edit, "reject": tab.reject}
    for verdict, button in buttons.items():
        event = button.click(reviewer(desk.decide(verdict)), said, decided, api_name=f"review_{verdict}", **options)
        onward.append(event)
    tab.settle.click(None, [*tab.boxes], None, js=settle(tab.boxes))
    for event in onward:
        event.then(None, [*tab.boxes], None, js=settle(tab.boxes))
    tab.undo.click(reviewer(desk.undo), said, decided, api_name="review_undo", **options)
    beside, aside = {tab.position, tab.others, tab.nearest, tab.ahead}, {*tab.filters, tab.draft_id, tab.skipped}
    tab.draft_id.change(reviewer(desk.context), aside, beside, api_name="review_context", **options)
    # Not `input`: Gradio 6.31 swallows the first one after an update, so a pasted text would go unchecked.
    tab.copy.change(
        reviewer(desk.recheck),
        {tab.draft_id, tab.copy},
        {tab.difference, tab.count, tab.findings},
        trigger_mode="always_last",
        api_name="review_recheck",
        **options,
    )
    build_rules_panel(session, tab_item, tab.filters.brand, tab.reviewer)
    _wire_list(tab, bulk, reviewer)
    _wire_leases(session, tab, page, tab_item, desk)


def _wire_both(tab: ReviewTab, tab_item: gr.Tab, desks: tuple[ReviewDesk, BulkDesk], reviewer: Declare) -> None:
    """What concerns the one draft or the list, whichever is shown."""
    filters, view, options = tab.filters, tab.bulk, direct(tab.decided)
    desk, bulk = desks

    def either(one: Callable[[Values, gr.Request], Values], many: Callable[[Values, gr.Request], Values]) -> Handler:
        def handle(values: Values, request: gr.Request) -> Values:
            return (many if values[view.size] else one)(values, request)

        return reviewer(handle)

    at = {*filters, tab.draft_id, tab.copy, tab.skipped, view.size, view.rows, view.listed, view.passed}
    moved = {*tab.focus, tab.skipped, *view.outputs}
    tab_item.select(either(desk.resume, bulk.resume), at, moved, api_name="review_open", **options)
    refresh, offered = either(desk.head, bulk.refresh), {*moved, *filters} - {filters.brand, filters.order}
    filters.brand.input(either(desk.brand, bulk.brand), at, offered, api_name="review_brand", **options)
    for part in (filters.channel, filters.author, filters.worst, filters.locale, filters.order):
        part.input(refresh, at, moved, api_name=f"review_by_{part.elem_id.removeprefix('review-')}", **options)
    filters.text.submit(refresh, at, moved, api_name="review_search", **options)


def _wire_list(tab: ReviewTab, bulk: BulkDesk, reviewer: Declare) -> None:
    """What the list's own buttons do."""
    view, options = tab.bulk, direct(tab.decided)
    at = {*tab.filters, tab.draft_id, tab.copy, tab.skipped, *view.outputs}
    listed = {*view.outputs, tab.notice}
    view.open.click(reviewer(bulk.open), at, listed, api_name="review_bulk_open", **options)
    view.close.click(
        reviewer(bulk.close), at, {*listed, *tab.focus, tab.skipped}, api_name="review_bulk_close", **options
    )
    for size, button in view.sizes.items():
        button.click(reviewer(bulk.resize(size)), at, listed, api_name=f"review_bulk_{size}", **options)
    said, done = {*at, tab.reviewer, tab.decided}, {*listed, tab.decided}
    approved = view.approve.click(reviewer(bulk.approve), said, done, api_name="review_bulk_approve", **options)
    approved.then(None, js=FIRST_ROW)
    view.undo.click(reviewer(bulk.undo), said, done, api_name="review_bulk_undo", **options)
    view.rows.change(None, view.rows, view.approve, js=COUNTED)


def _wire_leases(session: Session, tab: ReviewTab, page: gr.Blocks, tab_item: gr.Tab, desk: ReviewDesk) -> None:
    """Leases last while the tab is looked at, and end with the page."""
    reviewer, copywriter = session.access.needs("reviewer"), session.access.needs("copywriter")
    renewal, options = gr.Timer(RENEW_S, active=False), direct(tab.decided)

    def looked_at(event: gr.SelectData) -> gr.Timer:
        return gr.Timer(active=event.value == tab_item.label)

    tab_item.parent.select(copywriter(looked_at), None, renewal, api_name="review_looked_at", **options)
    renewal.tick(reviewer(desk.renew), api_name="review_renew", **options)
    page.unload(reviewer(desk.leave))
