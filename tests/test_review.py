import pytest

from brand_voice.brand import load_brand
from brand_voice.errors import InputError
from brand_voice.records import Brief, BriefProduct, Draft, Finding, RecordedReview, Recording, Screening
from brand_voice.review import recorded_reviews, review, screen_edit
from brand_voice.store.store import Store

BRIEF = Brief(
    id="b",
    brand="tidewater",
    channel="email",
    locale="en-US",
    product=BriefProduct(name="Toba Rain", category="coffee"),
    key_message="Holds up to cream",
)


def a_draft(brief: Brief = BRIEF, **fields: object) -> Draft:
    given = {
        "id": f"{brief.id}-0",
        "author": "teacher",
        "model": "recorded",
        "text": "Pour it in.",
        "is_recorded": True,
    }
    return Draft(brand=brief.brand, brief_id=brief.id, brief_hash=brief.hash, **(given | fields))


def screener(text: str, brief: Brief) -> Screening:
    """A real rule, small: no exclamation marks."""
    remark = Finding(rule="style.exclamation", check="style", severity="warn", message="calm down")
    return Screening(draft_id="", guide_version=brief.brand, findings=(remark,) * text.count("!"), checks=("style",))


def test_an_approval_keeps_the_drafts_own_text():
    verdict, screening = review(a_draft(), BRIEF, screener, verdict="approve", reviewer=" ann ", revision=1)
    assert (verdict.final_text, verdict.reviewer, verdict.revision) == ("Pour it in.", "ann", 1)
    assert screening is None


def test_an_edit_is_screened_again_at_its_revision():
    verdict, screening = review(
        a_draft(),
        BRIEF,
        screener,
        verdict="edit",
        text="  Pour it in!\n",
        reasons=["cliche", "cliche"],
        note=" ",
        reviewer="ann",
        revision=3,
    )
    assert (verdict.final_text, verdict.reasons, verdict.note) == ("Pour it in!", ("cliche",), None)
    assert (screening.draft_id, screening.revision, len(screening.findings)) == ("b-0", 3, 1)
    assert screen_edit(verdict, BRIEF, screener) == screening


def test_a_rejection_leaves_no_text():
    verdict, screening = review(
        a_draft(), BRIEF, screener, verdict="reject", text="x", reasons=["wrong_fact"], reviewer="ann", revision=1
    )
    assert (verdict.final_text, verdict.reasons, screening) == (None, ("wrong_fact",), None)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"verdict": "edit"}, "is empty"),
        ({"verdict": "edit", "text": " \n"}, "is empty"),
        ({"verdict": "edit", "text": " Pour it in. "}, "changes nothing"),
        ({"verdict": "reject", "note": "dull"}, "needs a reason"),
        ({"verdict": "approve", "reviewer": " "}, "name of its reviewer"),
    ],
)
def test_a_verdict_that_says_too_little_is_refused_with_a_remedy(said: dict, message: str):
    with pytest.raises(InputError, match=message) as refused:
        review(a_draft(), BRIEF, screener, **({"reviewer": "ann", "revision": 1} | said))
    assert refused.value.remedy


def test_a_failed_draft_cannot_be_judged():
    failed = a_draft(text="", failure="timeout")
    with pytest.raises(InputError, match="timeout"):
        review(failed, BRIEF, screener, verdict="reject", reasons=["other"], reviewer="ann", revision=1)


@pytest.mark.parametrize(
    ("draft", "is_reviewed"),
    [
        (a_draft(), True),
        (a_draft(text="Pour it in.\n"), True),
        (a_draft(text="Another text"), False),
        (a_draft(candidate=1), False),
        (a_draft(is_recorded=False), False),
        (a_draft(BRIEF.model_copy(update={"key_message": "An older message"})), False),
        (a_draft(BRIEF.model_copy(update={"id": "other"})), False),
        (a_draft(text="", failure="timeout"), False),
        (a_draft(id="judged"), False),
    ],
)
def test_a_recorded_verdict_holds_only_for_the_text_and_brief_that_was_read(draft: Draft, is_reviewed: bool):
    recorded = RecordedReview(
        brief_id="b", candidate=0, verdict="approve", final_text="Pour it in.", reviewer="recorded"
    )
    recordings = [Recording(brief_id="b", candidate=0, text="Pour it in.")]
    found = list(recorded_reviews([draft], [BRIEF], [recorded], recordings=recordings, reviewed={"judged"}))
    assert [verdict.final_text for verdict in found] == ([draft.text] if is_reviewed else [])


@pytest.mark.parametrize("brand_id", ["tidewater", "fjellvik", "vela"])
def test_every_shipped_verdict_fits_its_draft_and_a_second_pass_adds_nothing(tmp_path, brand_id: str):
    brand = load_brand(brand_id)
    briefs = {brief.id: brief for brief in brand.briefs}
    drafts = [
        a_draft(briefs[line.brief_id], id=f"{line.brief_id}-{line.candidate}", candidate=line.candidate, text=line.text)
        for line in brand.recordings
    ]
    with Store.open(tmp_path / "x.db") as store:
        store.save_brand_briefs(brand.briefs)
        store.save_drafts(drafts)
        for _ in range(2):
            store.add_reviews(
                recorded_reviews(
                    store.drafts(brand_id),
                    brand.briefs,
                    brand.reviews,
                    recordings=brand.recordings,
                    reviewed=store.current_reviews(brand_id).keys(),
                )
            )
        assert sum(store.counts(brand_id).verdicts.values()) == len(brand.reviews) == len(drafts)
        texts = {(line.brief_id, line.candidate): line.final_text for line in brand.reviews if line.final_text}
        approved = store.approved(brand_id)
    assert {(a.draft.brief_id, a.draft.candidate): a.review.final_text for a in approved} == texts
