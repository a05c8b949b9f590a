"""The Review tab beyond one draft: order, the list of drafts without findings, the key sheet, leases."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from launched_app import HOSTILE, App, box, choose, example, launched, says
from playwright.sync_api import Locator, Page, Request, expect
from test_store import WARNING
from test_ui import decide, draft_for, in_focus, review_tab

from brand_voice.records import Draft, Review, Screening
from brand_voice.store import queue
from brand_voice.ui import review_tab as tab_module
from brand_voice.ui.keys import KEYS

CERTAINTY = (-0.5, None, -2.0, -0.5, None, -1.0)
"""Mean token log-probability of the drafts, again and again."""


def stored(app: App, number: int) -> list[Draft]:
    """So many fresh drafts without findings in an otherwise empty queue."""
    store, brand = app.session.store, app.brand
    for item in store.queue("tidewater", limit=1_000):
        overruled = a_verdict(item.draft, item.revision + 1)
        store.add_review(overruled)
    store.save_brand_briefs(brand.briefs[:number])
    before = len(store.drafts("tidewater"))
    made = [
        draft_for(brief, f"clean-{before}-{n}").model_copy(update={"mean_logprob": CERTAINTY[n % len(CERTAINTY)]})
        for n, brief in enumerate(brand.briefs[:number])
    ]
    store.save_drafts(made)
    store.save_screenings([Screening(draft_id=draft.id, guide_version="g") for draft in made])
    return made


def a_verdict(draft: Draft, revision: int) -> Review:
    return Review(draft_id=draft.id, revision=revision, verdict="reject", reasons=("other",), reviewer="Noor")


@pytest.fixture
def clean(app: App) -> list[Draft]:
    return stored(app, 12)


def rows(page: Page) -> Locator:
    return page.locator("#review-rows input[type=checkbox]")


def listed(page: Page) -> list[str]:
    """Ids of the rows."""
    return [row.get_attribute("name") or "" for row in rows(page).all()]


def bulk(page: Page, number: int) -> Page:
    """The list, opened by its key, with so many rows."""
    page.keyboard.press("b")
    expect(rows(page)).to_have_count(number)
    expect(page.locator("#review-bulk-approve")).to_have_text(f"Approve {number} (Enter)")
    return page


def verdicts(app: App, drafts: list[Draft]) -> list[list[str]]:
    return [[review.verdict for review in app.session.store.reviews(draft.id)] for draft in drafts]


def test_the_least_certain_draft_comes_first_if_asked_for(
    app: App, opened: Callable[..., Page], clean: list[Draft]
) -> None:
    page = review_tab(opened())
    in_focus(page, clean[0])
    choose(page, "review-order", "Least certain")
    in_focus(page, clean[2])
    says(page, "review-position", "1 of 12")
    box(page, "review-order").blur()
    page.keyboard.press("j")
    in_focus(page, clean[8])
    page.keyboard.press("j")
    in_focus(page, clean[5])
    says(page, "review-position", "3 of 12")
    page.keyboard.press("k")
    in_focus(page, clean[8])
    page.keyboard.press("a")
    in_focus(page, clean[5])
    says(page, "review-position", "2 of 11")


def test_a_list_is_approved_by_keys_alone_and_what_is_unticked_waits(
    app: App, opened: Callable[..., Page], clean: list[Draft]
) -> None:
    page = bulk(review_tab(opened(), "Mia"), 10)
    expect(box(page, "review-copy")).to_be_hidden()
    row = page.locator("#review-rows label").first
    expect(row).to_contain_text(clean[0].text)
    expect(row).to_contain_text(app.brand.briefs[0].product.name)
    for key in ("j", "j", "x", "j", "k", "j", "Space", "x"):
        page.keyboard.press(key)
    expect(page.locator("#review-bulk-approve")).to_have_text("Approve 9 (Enter)")
    expect(rows(page).nth(1)).not_to_be_checked()
    expect(rows(page).nth(2)).to_be_focused()
    page.keyboard.press("Enter")
    expect(rows(page)).to_have_count(2)
    says(page, "review-notice", "Approved 9.")
    assert listed(page) == [draft.id for draft in clean[10:]], "what was left unticked does not come back ticked"
    assert verdicts(app, clean) == [["approve"], [], *[["approve"]] * 8, [], []]
    [review] = app.session.store.reviews(clean[0].id)
    assert (review.reviewer, review.final_text) == ("Mia", clean[0].text)
    page.keyboard.press("b")
    in_focus(page, clean[1])


def test_undo_takes_the_whole_list_back_but_not_what_somebody_decided_since(
    app: App, opened: Callable[..., Page], clean: list[Draft]
) -> None:
    page = bulk(review_tab(opened()), 10)
    page.keyboard.press("u")
    says(page, "review-notice", "nothing to undo")
    page.keyboard.press("Enter")
    expect(rows(page)).to_have_count(2)
    app.session.store.add_review(a_verdict(clean[3], 2))
    page.keyboard.press("u")
    expect(rows(page)).to_have_count(10)
    says(page, "review-notice", "Taken back: 9. Somebody decided since on the others")
    assert clean[3].text[:30] in box(page, "review-notice").input_value()
    assert verdicts(app, clean[2:5]) == [["approve", "undo"], ["approve", "reject"], ["approve", "undo"]]


def test_one_draft_at_a_time_undo_takes_back_a_list_as_well(
    app: App, opened: Callable[..., Page], clean: list[Draft]
) -> None:
    page = bulk(review_tab(opened()), 10)
    page.keyboard.press("Enter")
    expect(rows(page)).to_have_count(2)
    page.keyboard.press("b")
    in_focus(page, clean[10])
    page.keyboard.press("a")
    in_focus(page, clean[11])
    page.keyboard.press("u")
    in_focus(page, clean[10])
    page.keyboard.press("u")
    in_focus(page, clean[0])
    says(page, "review-notice", "Taken back: 10 drafts wait again")
    assert app.session.store.waiting("tidewater") == 12


def test_what_somebody_decided_meanwhile_is_named_and_the_others_are_stored(
    app: App, opened: Callable[..., Page], clean: list[Draft]
) -> None:
    page = bulk(review_tab(opened()), 10)
    decide(app, clean[4].id, "Noor")
    page.keyboard.press("Enter")
    says(page, "review-notice", "Approved 9. Somebody decided on these first")
    assert clean[4].text[:30] in box(page, "review-notice").input_value()
    assert {app.session.store.reviews(draft.id)[0].reviewer for draft in clean[:4]} == {"Mia"}
    assert [review.reviewer for review in app.session.store.reviews(clean[4].id)] == ["Noor"]


def test_without_a_name_or_a_tick_nothing_is_approved_and_the_ticks_stay(
    app: App, opened: Callable[..., Page], clean: list[Draft]
) -> None:
    page = bulk(review_tab(opened(), ""), 10)
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("Enter")
    says(page, "review-notice", "needs the name of its reviewer")
    expect(page.locator("#review-bulk-approve")).to_have_text("Approve 9 (Enter)")
    for _ in range(9):
        page.keyboard.press("j")
        page.keyboard.press("x")
    page.locator("#review-bulk-approve").click()
    says(page, "review-notice", "Nothing is ticked")
    assert app.session.store.waiting("tidewater") == 12


def test_two_pages_are_given_lists_that_share_nothing(
    app: App, opened: Callable[..., Page], clean: list[Draft]
) -> None:
    first, second = review_tab(opened(), "Mia"), review_tab(opened(), "Noor")
    bulk(first, 10)
    bulk(second, 2)
    assert not {*listed(first)} & {*listed(second)}
    first.keyboard.press("b")
    in_focus(first, clean[0])
    second.keyboard.press("2")
    expect(rows(second)).to_have_count(11)
    assert clean[0].id not in listed(second)


def test_more_rows_keep_the_ticks_and_filters_apply_to_the_list(
    app: App, opened: Callable[..., Page], clean: list[Draft]
) -> None:
    app.session.store.save_screening(Screening(draft_id=clean[1].id, guide_version="h", findings=(WARNING,)))
    page = bulk(review_tab(opened()), 10)
    says(page, "review-bulk-position", "10 of 11 drafts without findings")
    assert clean[1].id not in listed(page)
    rows(page).first.uncheck()
    page.keyboard.press("2")
    expect(rows(page)).to_have_count(11)
    expect(page.locator("#review-bulk-approve")).to_have_text("Approve 10 (Enter)")
    expect(rows(page).first).not_to_be_checked()
    box(page, "review-search").fill(clean[7].text[-10:])
    box(page, "review-search").press("Enter")
    expect(rows(page)).to_have_count(1)
    choose(page, "review-worst", "Warn")
    says(page, "review-bulk-position", "drafts without findings; the filter Worst finding asks for others")
    expect(rows(page)).to_have_count(0)


def test_hostile_text_in_a_row_is_shown_as_text(app: App, opened: Callable[..., Page], clean: list[Draft]) -> None:
    hostile = clean[0].model_copy(update={"id": f"{clean[0].id}-hostile", "text": HOSTILE})
    app.session.store.save_drafts([hostile])
    app.session.store.save_screening(Screening(draft_id=hostile.id, guide_version="g"))
    page = bulk(review_tab(opened()), 10)
    page.keyboard.press("2")
    expect(rows(page)).to_have_count(13)
    expect(page.locator("#review-rows label").last).to_contain_text('<img src=x onerror="window.owned=2">')
    assert page.evaluate("window.owned") is None
    assert page.locator("a[href^=javascript], img[src=x]").count() == 0


def test_the_key_sheet_lists_every_shortcut_and_silences_them_all(
    app: App, opened: Callable[..., Page], clean: list[Draft]
) -> None:
    page = review_tab(opened())
    in_focus(page, clean[0])
    sheet = page.get_by_role("dialog", name="Keys")
    page.locator("#keys-open").click()
    expect(sheet).to_be_visible()
    expect(page.locator("#keys-close")).to_be_focused()
    for group, keys in KEYS.items():
        part = sheet.locator("section").filter(has=page.get_by_role("heading", name=group, exact=True))
        assert part.locator("dd").all_inner_texts() == [key.does for key in keys]
    for key in ("a", "j", "b", "1"):
        page.keyboard.press(key)
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    expect(page.locator("#keys-open")).to_be_focused()
    page.keyboard.press("j")
    in_focus(page, clean[1])
    assert verdicts(app, clean[:1]) == [[]]
    assert page.locator("#review-reasons input:checked").count() == 0
    page.keyboard.press("?")
    expect(sheet).to_be_visible()
    page.keyboard.press("?")
    expect(sheet).to_be_hidden()
    box(page, "review-note").focus()
    page.keyboard.type("why?")
    expect(box(page, "review-note")).to_have_value("why?")
    expect(sheet).to_be_hidden()


def test_a_closed_page_frees_what_it_held(app: App, opened: Callable[..., Page], clean: list[Draft]) -> None:
    first, second = opened(), opened()
    bulk(review_tab(first), 10)
    in_focus(review_tab(second, "Noor"), clean[10])
    first.close()
    second.wait_for_function(
        """text => {
            document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "k", bubbles: true }));
            return document.querySelector("#review-copy textarea").value === text;
        }""",
        arg=clean[0].text,
        polling=200,
    )


@pytest.fixture
def brisk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    """An app whose pages renew their leases every 100 ms."""
    monkeypatch.setattr(tab_module, "RENEW_S", 0.1)
    with launched(tmp_path) as app:
        yield app


def test_a_page_renews_its_lease_while_its_review_tab_is_looked_at(
    brisk: App, opened: Callable[..., Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_renewal(request: Request) -> bool:
        return request.method == "POST" and request.response().json().get("data") == []

    drafts = stored(brisk, 2)
    page = opened(brisk.url)
    monkeypatch.setattr(queue, "LEASE_S", -1)
    in_focus(review_tab(page), drafts[0])
    monkeypatch.undo()
    for _ in range(2):  # the first may have been on its way
        page.wait_for_event("requestfinished", is_renewal)
    given = brisk.session.store.claim("tidewater", "somebody")
    assert given is not None
    assert given.draft.id == drafts[1].id, "what had run out at once is held again"
    page.get_by_role("tab", name="Write").click()
    example(page)
    later: list[Request] = []
    page.on("requestfinished", lambda request: later.append(request) if is_renewal(request) else None)
    page.locator("#write-go").click()
    expect(page.locator("#side-1-send")).to_be_visible()
    assert len(later) <= 1, "but for one that was on its way"
