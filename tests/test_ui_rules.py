"""The panel of suggested rules in the browser: what is shown, added and dismissed."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from launched_app import App, box, choose, launched, says
from playwright.sync_api import Page, expect

from brand_voice.records import Draft, Review
from brand_voice.ui.rules_panel import TITLE

TWINS = {"tranquil": "quiet", "placid": "calm"}


@pytest.fixture
def edited(tmp_path: Path) -> Iterator[App]:
    """Three edits of each of two words, and a draft that waits with both."""
    with launched(tmp_path) as app:
        for number, brief in enumerate(app.brand.briefs[:7]):
            text = f"A {'tranquil' if number < 3 else 'placid'} cup before anyone is up."
            text = "One tranquil cup, one placid pot." if number == 6 else text
            draft = Draft(
                id=f"d-{number}",
                brand=brief.brand,
                brief_id=brief.id,
                brief_hash=brief.hash,
                author="student",
                model="m",
                text=text,
            )
            app.session.store.save_brand_briefs([brief])
            app.session.store.save_draft(draft)
            for before, after in TWINS.items() if number < 6 else ():
                text = text.replace(before, after)
            if number < 6:
                edit = Review(draft_id=draft.id, revision=1, verdict="edit", final_text=text, reviewer="Noor")
                app.session.store.add_review(edit)
        yield app


def panel(page: Page, count: int) -> Page:
    page.get_by_role("tab", name="Review").click()
    page.get_by_role("button", name=f"{TITLE} ({count})").click()
    return page


def test_a_click_adds_the_rule_and_the_waiting_draft_has_its_finding(edited: App, opened: Callable[..., Page]) -> None:
    session = edited.session
    before = session.screener("tidewater").screen("A placid pot.", edited.brand.briefs[0])
    page = panel(opened(edited.url), 2)
    says(page, "rules-said-1", "You changed “placid” to “calm” in 3 drafts")
    says(page, "rules-example-1", "Before: A placid cup before anyone is up.\nAfter: A calm cup")
    expect(page.locator("#rules-add-3")).to_be_hidden()
    page.locator("#rules-add-1").click()
    says(page, "rules-notice", "1 of 1 waiting drafts now have a finding of it")
    says(page, "rules-said-1", "You changed “tranquil” to “quiet”")
    expect(page.get_by_role("button", name=f"{TITLE} (1)")).to_be_visible()
    after = session.screener("tidewater").screen("A placid pot.", edited.brand.briefs[0])
    new = [f for f in after.findings if f not in before.findings]
    assert [(f.rule, f.suggestion) for f in new] == [("lexicon.prefer.placid", "calm")]
    assert session.folder("tidewater").path == session.workspace.brands / "tidewater"
    screening = session.store.screening("d-6")
    assert screening.guide_version == session.folder("tidewater").guide.version


def test_what_is_dismissed_stays_away_and_another_brand_has_its_own(edited: App, opened: Callable[..., Page]) -> None:
    page = panel(opened(edited.url), 2)
    box(page, "review-reviewer").fill("")
    page.locator("#rules-dismiss-2").click()
    says(page, "rules-notice", "needs the name of who dismisses")
    box(page, "review-reviewer").fill("Mia")
    page.locator("#rules-dismiss-2").click()
    says(page, "rules-notice", "Dismissed")
    expect(page.locator("#rules-add-2")).to_be_hidden()
    assert edited.session.store.dismissed("tidewater") == {("tranquil", "quiet")}
    choose(page, "review-brand", "Vela")
    says(page, "rules-notice", "None. The same edit in 3 drafts suggests one.")
    choose(page, "review-brand", "Tidewater")
    says(page, "rules-said-1", "placid")
    expect(page.get_by_role("button", name=f"{TITLE} (1)")).to_be_visible()


def test_a_rule_that_somebody_else_added_meanwhile_is_told_and_the_other_card_is_not_hit(
    edited: App, opened: Callable[..., Page]
) -> None:
    page = panel(opened(edited.url), 2)
    says(page, "rules-said-1", "placid")
    edited.session.add_rule(edited.session.suggestions("tidewater")[0])
    page.locator("#rules-add-1").click()
    says(page, "rules-notice", "This is suggested no longer")
    assert [s.before for s in edited.session.suggestions("tidewater")] == ["tranquil"]
