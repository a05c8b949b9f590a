"""The first hour: an empty workspace is filled with the demo data, and the tour is shown once."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from launched_app import App, box, example, launched, says
from playwright.sync_api import BrowserContext, Page, expect

from brand_voice import demo
from brand_voice.adopt import draft_of_person
from brand_voice.demo import spared
from brand_voice.errors import InputError
from brand_voice.ui.errand import CalledOffError, Errand, Errands


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[App]:
    with launched(tmp_path) as app:
        yield app


@pytest.fixture
def fresh(alone: App, browser: BrowserContext) -> Iterator[Page]:
    """A page of a browser that never was here."""
    context = browser.browser.new_context(viewport={"width": 390, "height": 900})
    context.set_default_timeout(120_000)
    page = context.new_page()
    page.goto(alone.url)
    expect(page.locator("#write-go")).to_be_visible()
    yield page
    context.close()


def test_the_demo_data_is_loaded_from_the_review_tab_and_some_of_it_is_left_to_review(
    alone: App, opened: Callable[..., Page]
) -> None:
    page = opened(alone.url)
    page.get_by_role("tab", name="Review").click()
    says(page, "review-demo", "Tidewater Coffee has no drafts yet")
    says(page, "review-demo", "written by a language model")
    says(page, "review-demo", "fictional")
    page.locator("#review-demo-load").click()
    says(page, "review-demo", "The demo data is loaded")
    expect(page.locator("#review-demo-load")).to_be_hidden()
    says(page, "review-position", "1 of 60 in the queue")
    counts = alone.session.store.counts("tidewater")
    assert (counts.drafts, counts.unreviewed) == (len(alone.brand.recordings), 60)
    page.reload()
    page.get_by_role("tab", name="Review").click()
    says(page, "review-position", "of 60 in the queue")
    expect(box(page, "review-demo")).to_be_hidden()


def test_a_cancelled_load_leaves_whole_drafts_and_goes_on_from_the_write_tab(
    alone: App, opened: Callable[..., Page]
) -> None:
    store = alone.session.store
    page = opened(alone.url)
    says(page, "write-demo", "Tidewater Coffee has no drafts yet")
    page.locator("#write-demo-load").click()
    says(page, "write-demo", "Generate: ")
    page.locator("#write-demo-cancel").click()
    says(page, "write-demo", "is loaded in part")
    before = store.ok_draft_ids("tidewater")
    assert before
    assert store.reviewed_ids("tidewater") == frozenset()
    page.reload()
    says(page, "write-demo", "is loaded in part")
    page.locator("#write-demo-load").click()
    says(page, "write-demo", "60 wait for yours in the Review tab")
    assert before <= store.ok_draft_ids("tidewater")
    assert len(store.ok_draft_ids("tidewater")) == len(alone.brand.recordings)
    assert len(store.reviewed_ids("tidewater")) == len(alone.brand.recordings) - 60


def test_what_somebody_stored_already_takes_the_offer_away(alone: App, opened: Callable[..., Page]) -> None:
    page = opened(alone.url)
    page.get_by_role("tab", name="Review").click()
    says(page, "review-demo", "no drafts yet")
    alone.session.store.save_brand_briefs(alone.brand.briefs[:1])
    brief = alone.brand.briefs[0]
    alone.session.store.save_draft(draft_of_person(brief, "A person wrote this."))
    page.get_by_role("tab", name="Write").click()
    page.get_by_role("tab", name="Review").click()
    expect(box(page, "review-demo")).to_be_hidden()
    assert not alone.session.store.is_untouched("tidewater")
    assert alone.session.store.is_untouched("vela")


def test_loading_twice_adds_nothing_and_a_run_that_was_ended_comes_to_the_same(alone: App) -> None:
    store = alone.session.store

    def load(stop_at: str) -> Errand:
        def work(track: object) -> None:
            demo.load(alone.session.context("vela", track))

        errand = Errand("vela", work)
        errand.start()
        while errand.is_alive() and not errand.progress.startswith(stop_at):
            errand.join(0.01)
        errand.call_off()
        errand.join()
        return errand

    for stage in ("Generate", "Screen"):
        assert not load(stage).is_done
        assert store.is_untouched("vela")
    assert load("never").is_done
    folder = alone.session.folder("vela")
    last = {(r.brief_id, r.candidate) for r in folder.reviews[-spared(folder) :]}
    waiting = store.queue("vela", limit=1_000)
    assert {(item.draft.brief_id, item.draft.candidate) for item in waiting} == last
    demo.load(alone.session.context("vela"))
    assert len(store.queue("vela", limit=1_000)) == len(waiting) == 60


def test_an_errand_keeps_its_error_and_one_name_is_one_errand() -> None:
    errands = Errands()

    def fail(track: object) -> None:
        raise InputError("no paper", remedy="buy some")

    def wait(track: object) -> None:
        list(track(iter(int, 1), "wait", 1))

    failed = errands.start("a", fail)
    failed.join()
    assert failed.outcome().message == "no paper"
    waiting = errands.start("b", wait)
    assert errands.start("b", fail) is waiting
    errands.close()
    assert not waiting.is_alive()
    assert (waiting.is_done, waiting.outcome()) == (False, None)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_in_an_errand_is_not_silent() -> None:
    errand = Errand("odd", lambda track: 1 / 0)
    errand.start()
    errand.join()
    assert not isinstance(errand.error, CalledOffError)
    with pytest.raises(RuntimeError, match="ended by a bug"):
        errand.outcome()


def test_the_tour_walks_through_the_tabs_by_keyboard_and_is_shown_once(fresh: Page) -> None:
    page = fresh
    expect(page.locator("#tour")).to_be_visible()
    expect(page.locator("#tour .bv-now")).to_contain_text("What this is for")
    expect(page.locator("#tour .bv-now")).to_contain_text("fictional")
    page.wait_for_function("localStorage['brand-voice-tour']")
    page.locator("#tour-next").focus()
    height = page.locator("#tour").bounding_box()["height"]
    for title, tab in (("Write", "Write"), ("Compare blind", "Compare"), ("Review by keyboard", "Review")):
        page.keyboard.press("Enter")
        expect(page.locator("#tour .bv-now h2")).to_contain_text(title)
        expect(page.get_by_role("tab", name=tab)).to_have_attribute("aria-selected", "true")
    expect(page.locator("#review-reviewer")).to_be_visible()
    says(page, "review-demo", "no drafts yet")  # what opening the tab does, the tour does too
    page.keyboard.press("Enter")
    expect(page.locator("#tour .bv-now")).to_contain_text("brand-voice distill --brand tidewater")
    expect(page.locator("#tour-next")).to_be_disabled()
    page.locator("#tour-back").press("Enter")
    expect(page.locator("#tour .bv-now h2")).to_contain_text("Review by keyboard")
    assert page.locator("#tour").bounding_box()["height"] == height
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.locator("#tour-close").press("Enter")
    expect(page.locator("#tour")).to_be_hidden()
    expect(page.locator("#tour-open")).to_be_focused()
    page.reload()
    expect(page.locator("#write-go")).to_be_visible()
    expect(page.locator("#tour")).to_be_hidden()
    page.keyboard.press("Tab")
    page.locator("#tour-open").press("Enter")
    expect(page.locator("#tour .bv-now")).to_contain_text("What this is for")


def test_the_tour_stands_in_nobodys_way(fresh: Page) -> None:
    page = fresh
    expect(page.locator("#tour")).to_be_visible()
    example(page)
    page.locator("#write-go").click()
    expect(page.locator("#side-1-send")).to_be_visible()
    tour, tabs = page.locator("#tour").bounding_box(), page.get_by_role("tablist").bounding_box()
    assert tour["y"] + tour["height"] <= tabs["y"]
