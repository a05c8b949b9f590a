"""What reviewers had to do: the last verdict counts, by writer, oldest first."""

from pathlib import Path

import pytest
from test_store import a_brief, a_draft, a_review

from brand_voice.effort import effort
from brand_voice.rates import Rate
from brand_voice.store.store import Store
from brand_voice.store.verdicts import Reviewed


def test_distances_are_of_the_longer_text_and_untouched_texts_have_none() -> None:
    (told,) = effort([Reviewed("x@1", False, 1, 2, (("abcd", "abcdefgh"),))])
    assert (told.reviewed, told.untouched, told.rejected) == (4, Rate(hits=1, of=4), Rate(hits=2, of=4))
    assert told.edit_distance == pytest.approx(0.25)  # half of one text, none of the other
    (unkept,) = effort([Reviewed("m", True, 0, 3, ())])
    assert (unkept.edit_distance, unkept.is_teacher) == (None, True)


def test_the_last_verdict_counts_for_its_writer_and_a_person_is_none(tmp_path: Path) -> None:
    with Store.open(tmp_path / "db") as store:
        store.save_brand_briefs([a_brief(), a_brief(brand="vela")])
        drafts = [a_draft(0), *(a_draft(i, author="student", adapter="tidewater@1") for i in (1, 2, 3))]
        drafts += [a_draft(4, author="person", model="person"), a_draft(5, brief=a_brief(brand="vela")), a_draft(6)]
        store.save_drafts(drafts)
        for draft, *verdicts in (
            (1, "reject"),
            (0, "edit"),
            (2, "reject", "edit"),
            (3, "edit", "approve"),
            (4, "approve"),
        ):
            for revision, verdict in enumerate(verdicts, 1):
                store.add_review(a_review(drafts[draft], revision=revision, verdict=verdict))
        store.add_review(a_review(drafts[5]))
        teacher, student = store.reviewed_by_writer("tidewater")
    assert teacher == Reviewed("m", True, 0, 0, ((drafts[0].text, "Edited copy"),))
    assert student == Reviewed("tidewater@1", False, 1, 1, ((drafts[2].text, "Edited copy"),))
