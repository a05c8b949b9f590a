"""The next draft is shown as the key is pressed; what the answer says counts."""

import json
from collections.abc import Callable, Iterator

import pytest
from launched_app import App, box, says
from playwright.sync_api import Page, Route, expect
from test_ui import decide, draft_for, in_focus, review_tab

from brand_voice.records import Draft


@pytest.fixture
def drafts(app: App) -> list[Draft]:
    """Three fresh drafts about different products in an otherwise empty queue."""
    store = app.session.store
    for number, item in enumerate(store.queue("tidewater")):
        decide(app, item.draft.id, f"cleaner-{number}")
    briefs = list({brief.product.name: brief for brief in app.brand.briefs}.values())[:3]
    store.save_brand_briefs(briefs)
    made = [draft_for(brief, f"ahead-{len(store.drafts('tidewater'))}-{n}") for n, brief in enumerate(briefs)]
    store.save_drafts(made)
    return made


@pytest.fixture
def reading(opened: Callable[..., Page], drafts: list[Draft]) -> Iterator[Page]:
    """The first draft in focus, the second one at hand."""
    page = review_tab(opened())
    in_focus(page, drafts[0])
    expect(box(page, "review-ahead")).not_to_have_value("")
    assert json.loads(box(page, "review-ahead").input_value())["after"] == drafts[0].id
    yield page
    page.close()


def product(app: App, draft: Draft) -> str:
    return app.session.store.item(draft.id).brief.product.name


def test_the_next_draft_is_shown_before_the_answer_and_nothing_is_decided_on_it_until_then(
    app: App, reading: Page, drafts: list[Draft]
) -> None:
    held: list[Route] = []
    reading.route("**/run/**", lambda route: held.append(route))  # noqa: PLW0108  Playwright marks what it calls
    reading.keyboard.press("a")
    expect(box(reading, "review-copy")).to_have_value(drafts[1].text)
    expect(box(reading, "read-product")).to_have_value(product(app, drafts[1]))
    reading.keyboard.press("1")
    reading.keyboard.press("r")
    assert app.session.store.reviews(drafts[0].id) == ()
    for route in held:
        route.continue_()
    reading.unroute("**/run/**")
    in_focus(reading, drafts[1])
    assert [review.verdict for review in app.session.store.reviews(drafts[0].id)] == ["approve"]
    assert app.session.store.reviews(drafts[1].id) == ()


def test_a_draft_that_somebody_took_meanwhile_gives_way_to_the_next(
    app: App, reading: Page, drafts: list[Draft]
) -> None:
    assert app.session.store.hold(drafts[1].id, "another page")
    reading.keyboard.press("a")
    in_focus(reading, drafts[2])
    expect(box(reading, "read-product")).to_have_value(product(app, drafts[2]))
    app.session.store.release("another page")


def test_what_was_not_stored_stands_there_again(app: App, reading: Page, drafts: list[Draft]) -> None:
    box(reading, "review-reviewer").fill("")
    box(reading, "review-reviewer").blur()
    reading.keyboard.press("a")
    says(reading, "review-notice", "needs the name of its reviewer")
    in_focus(reading, drafts[0])
    expect(box(reading, "read-product")).to_have_value(product(app, drafts[0]))
    box(reading, "review-reviewer").fill("Mia")
    box(reading, "review-reviewer").blur()
    reading.route("**/run/**", lambda route: route.fulfill(status=500, json={"error": None}))
    reading.keyboard.press("a")
    in_focus(reading, drafts[0])
    reading.unroute("**/run/**")
    reading.keyboard.press("a")
    in_focus(reading, drafts[1])


def test_a_changed_text_shows_nothing_ahead(reading: Page, drafts: list[Draft]) -> None:
    box(reading, "review-copy").fill("My own line.")
    box(reading, "review-copy").blur()
    reading.keyboard.press("a")
    says(reading, "review-notice", "You changed the text")
    expect(box(reading, "review-copy")).to_have_value("My own line.")
