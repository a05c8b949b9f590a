"""Suggested rules on a workspace: added they are the guide's and find drafts, dismissed they stay away."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from brand_voice import rules
from brand_voice.brand import BrandFolder, load_brand
from brand_voice.context import Context
from brand_voice.errors import InputError
from brand_voice.loop import screen_drafts
from brand_voice.records import Brief, Draft, Review
from brand_voice.settings import Settings
from brand_voice.store.store import Store
from brand_voice.workspace import Workspace

BEFORE, AFTER = "A tranquil cup before anyone is up.", "A quiet cup before anyone is up."


def draft_of(brief: Brief, text: str = BEFORE) -> Draft:
    return Draft(
        id=f"{brief.id}-{text[:12]}",
        brand=brief.brand,
        brief_id=brief.id,
        brief_hash=brief.hash,
        author="student",
        model="m",
        text=text,
    )


def edit(store: Store, draft: Draft, text: str = AFTER) -> None:
    store.add_review(Review(draft_id=draft.id, revision=1, verdict="edit", final_text=text, reviewer="ann"))


@pytest.fixture
def context(tmp_path: Path, tidewater: BrandFolder) -> Iterator[Context]:
    """Five drafts with the same words, of which three are edited, and a sixth without."""
    place = Workspace(tmp_path)
    with Store.open(place.database) as store:
        store.save_brand_briefs(tidewater.briefs[:6])
        drafts = [draft_of(brief) for brief in tidewater.briefs[:5]]
        store.save_drafts([*drafts, draft_of(tidewater.briefs[5], "A pot for whoever comes by.")])
        for draft in drafts[:3]:
            edit(store, draft)
        yield Context(place, Settings(), tidewater, store, lambda items, *_: items, print)


def test_an_added_rule_screens_the_drafts_again_and_is_suggested_no_more(context: Context) -> None:
    screen_drafts(context)
    (suggestion,) = rules.suggested(context)
    added = rules.add(context, suggestion)
    assert (added.waiting, added.found) == (3, 2)
    assert added.brand == load_brand("tidewater", context.workspace.brands)
    last = context.store.screenings("tidewater").values()
    assert {screening.guide_version for screening in last} == {added.brand.guide.version}
    assert rules.suggested(context._replace(brand=added.brand)) == []
    with pytest.raises(InputError, match="has that rule already"):
        rules.add(context, suggestion)


def test_an_undone_edit_suggests_nothing(context: Context, tidewater: BrandFolder) -> None:
    undone = Review(draft_id=draft_of(tidewater.briefs[0]).id, revision=2, verdict="undo", reviewer="ann")
    context.store.add_review(undone)
    assert rules.suggested(context) == []


def test_a_dismissed_rule_stays_away_whatever_is_edited_later(context: Context, tidewater: BrandFolder) -> None:
    (suggestion,) = rules.suggested(context)
    with pytest.raises(InputError, match="needs the name"):
        rules.dismiss(context.store, suggestion, by=" ")
    rules.dismiss(context.store, suggestion, by=" Bea ")
    edit(context.store, draft_of(tidewater.briefs[3]))
    assert rules.suggested(context) == []
    with closing(sqlite3.connect(context.workspace.database)) as raw:
        assert raw.execute("SELECT before, after, dismissed_by FROM dismissals").fetchall() == [
            ("tranquil", "quiet", "Bea")
        ]
        for statement in ("UPDATE dismissals SET after = 'x'", "DELETE FROM dismissals"):
            with pytest.raises(sqlite3.IntegrityError, match="are appended"):
                raw.execute(statement)


def test_the_command_lists_adds_and_dismisses_by_number(context: Context, tidewater: BrandFolder) -> None:
    for brief in tidewater.briefs[6:9]:
        context.store.save_brand_briefs([brief])
        draft = draft_of(brief, "It is truly a fine cup.")
        context.store.save_draft(draft)
        edit(context.store, draft, "It is a fine cup.")

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "from brand_voice.cli.main import main; main()", "rules"]
        place = os.environ | {"BRAND_VOICE_WORKSPACE": str(context.workspace.root)}
        return subprocess.run(
            [*command, "--brand", "tidewater", *arguments],
            check=False,
            capture_output=True,
            text=True,
            env=place,
            timeout=120,
        )

    listed = call().stdout
    assert listed.index("1  You changed “tranquil” to “quiet” in 3 drafts") < listed.index("2  You took “truly” out")
    assert f"    - {BEFORE}\n    + {AFTER}\n" in listed
    assert "2 of 3 waiting drafts have a finding of it" in call("--add", "1").stderr
    assert call("--dismiss", "2", "--reviewer", "Bea").returncode == 1, "the numbers moved"
    assert call("--dismiss", "1", "--reviewer", "Bea").returncode == 0
    assert call().stdout == ""
    assert call("--add", "1", "--dismiss", "1").returncode == 2
