"""Blind comparison in the browser: no names before the vote, sides in balance, the card after it."""

from collections.abc import Callable

import pytest
from launched_app import ADAPTER, HOSTILE, App, box, launched, says, shown
from playwright.sync_api import Page, expect

from brand_voice.errors import InputError
from brand_voice.ui.booth import Booth, Match
from brand_voice.ui.compare_tab import card
from brand_voice.ui.session import TEACHER
from brand_voice.vote import tally


def compare_tab(page: Page, voter: str = "Mia") -> Page:
    page.get_by_role("tab", name="Compare").click()
    expect(box(page, "compare-second")).to_have_value("Teacher")
    box(page, "compare-voter").fill(voter)
    box(page, "compare-voter").blur()
    return page


def next_pair(page: Page) -> tuple[str, str]:
    page.keyboard.press("n")
    expect(page.locator("#compare-left")).to_be_enabled()
    return shown(page, "compare-left-text"), shown(page, "compare-right-text")


def test_a_vote_by_key_is_stored_and_only_then_the_names_are_shown(app: App, opened: Callable[..., Page]) -> None:
    before = len(app.session.store.ballots("tidewater"))
    page = compare_tab(opened())
    left, right = next_pair(page)
    page_text = page.locator("#compare-left-reveal, #compare-right-reveal").all_inner_texts()
    assert not any(ADAPTER in text or "recorded" in text for text in page_text)
    page.keyboard.press("2")
    expect(page.locator("#compare-left")).to_be_disabled()
    ballot = app.session.store.ballots("tidewater")[-1]
    assert len(app.session.store.ballots("tidewater")) == before + 1
    assert (ballot.vote.choice, ballot.vote.voter) == ("right", "Mia")
    texts = {
        side: app.session.store.draft(id_).text for side, id_ in (("l", ballot.vote.left), ("r", ballot.vote.right))
    }
    assert (" ".join(texts["l"].split()), " ".join(texts["r"].split())) == (left, right)
    says(page, "compare-left-reveal", ADAPTER if ballot.left == ADAPTER else "Teacher (recorded)")
    says(page, "compare-right-reveal", ADAPTER if ballot.right == ADAPTER else "Teacher (recorded)")
    expect(page.locator("#compare-card")).to_contain_text("more decisive votes")
    expect(page.locator("#compare-card table")).to_contain_text("too few votes to conclude")


def test_sides_stay_in_balance_and_no_brief_comes_twice(app: App, opened: Callable[..., Page]) -> None:
    page = compare_tab(opened(), "Noor")
    for key in ("1", "2", "3", "4", "1", "2"):
        next_pair(page)
        page.keyboard.press(key)
        expect(page.locator("#compare-left")).to_be_disabled()
    ballots = [b for b in app.session.store.ballots("tidewater") if b.vote.voter == "Noor"]
    assert [b.vote.choice for b in ballots] == ["left", "right", "tie", "both_bad", "left", "right"]
    assert sum(b.left == ADAPTER for b in ballots) == 3
    assert len({app.session.store.draft(b.vote.left).brief_hash for b in ballots}) == 6


def test_without_a_name_or_a_second_contender_there_is_no_pair(app: App, opened: Callable[..., Page]) -> None:
    page = compare_tab(opened(), " ")
    page.keyboard.press("n")
    says(page, "compare-notice", "Your name is missing: it stands on every vote")
    booth = Booth(app.session)
    with pytest.raises(InputError, match="Both sides are the same"):
        booth.next(Match("tidewater", TEACHER, TEACHER, "Mia"))


def test_without_a_student_the_tab_says_what_to_run(
    opened: Callable[..., Page], tmp_path_factory: pytest.TempPathFactory
) -> None:
    with launched(tmp_path_factory.mktemp("alone")) as alone:
        page = opened(alone.url)
        page.get_by_role("tab", name="Compare").click()
        says(page, "compare-notice", "brand-voice distill --brand tidewater")


def test_a_pair_is_voted_on_once_and_stays_open_if_the_vote_is_lost(app: App) -> None:
    booth = Booth(app.session)
    token = booth.next(Match("tidewater", ADAPTER, TEACHER, "Ida"))
    pair = booth.pair(token)
    with pytest.raises(ValueError, match="choice"):
        booth.vote(token, "sideways", "")
    assert booth.pair(token) == pair
    assert booth.vote(token, "tie", "x" * 900) == pair
    with pytest.raises(InputError, match="has been voted on"):
        booth.vote(token, "tie", "")
    assert len(app.session.store.ballots("tidewater")[-1].vote.reason) == 500


def test_briefs_that_training_never_saw_come_first(app: App) -> None:
    booth, folder = Booth(app.session), app.brand
    first = [booth.pair(booth.next(Match("tidewater", ADAPTER, TEACHER, "Uma"))).brief for _ in range(5)]
    assert all(folder.is_unseen(b) or int(b.hash, 16) % 100 >= 80 for b in first)


def test_hostile_texts_and_names_are_shown_as_text(app: App, opened: Callable[..., Page]) -> None:
    ballots = [b for b in app.session.store.ballots("tidewater")][:1] or pytest.fail("an earlier test votes")
    hostile = [b._replace(left=HOSTILE) for b in ballots]
    page = opened()
    page.evaluate(
        "html => document.body.insertAdjacentHTML('beforeend', html)", card(tally(HOSTILE, hostile[0].right, hostile))
    )
    assert page.evaluate("window.owned") is None
    assert page.locator("img[src=x]").count() == 0
