"""Which edits suggest a rule, which do not, and what the rule would be."""

import random
import re

import pytest

from brand_voice.brand import BrandFolder, load_brand
from brand_voice.guide import BannedTerm, Brand, Preference
from brand_voice.guide_text import StyleLimit, ruled
from brand_voice.records import Approved, Brief, Draft, Review
from brand_voice.suggest import Suggestion, suggest

BEFORE, AFTER = "A tranquil cup before anyone is up.", "A quiet cup before anyone is up."


def edited(brief: Brief, before: str, after: str, id_: str = "") -> Approved:
    draft = Draft(
        id=id_ or f"d-{brief.id}-{before}",
        brand=brief.brand,
        brief_id=brief.id,
        brief_hash=brief.hash,
        author="student",
        model="m",
        text=before,
    )
    verdict = "edit" if before != after else "approve"
    return Approved(
        draft, brief, Review(draft_id=draft.id, revision=1, verdict=verdict, final_text=after, reviewer="a")
    )


def edits(folder: BrandFolder, before: str, after: str, count: int = 3) -> list[Approved]:
    return [edited(brief, before, after) for brief in folder.briefs[:count]]


def told(found: list[Suggestion]) -> list[tuple[str, str, int]]:
    return [(s.before, s.after, s.count) for s in found]


def recorded(folder: BrandFolder) -> list[Approved]:
    texts = {(r.brief_id, r.candidate): r.text for r in folder.recordings}
    briefs = {b.id: b for b in folder.briefs}
    return [
        edited(briefs[r.brief_id], texts[r.brief_id, r.candidate], r.final_text or "", f"{r.brief_id}/{r.candidate}")
        for r in folder.reviews
        if r.verdict != "reject"
    ]


def test_three_drafts_with_the_same_edit_suggest_a_rule_and_two_do_not(tidewater: BrandFolder) -> None:
    (found,) = suggest(edits(tidewater, BEFORE, AFTER), tidewater.guide)
    assert told([found]) == [("tranquil", "quiet", 3)]
    assert found.examples == ((BEFORE, AFTER),)
    assert found.rule == Preference(say="quiet", instead_of=("tranquil",))
    assert suggest(edits(tidewater, BEFORE, AFTER, 2), tidewater.guide) == []


def test_a_draft_counts_once_however_often_it_is_edited_or_drafted_again(tidewater: BrandFolder) -> None:
    twice = edited(tidewater.briefs[0], f"{BEFORE} {BEFORE}", f"{AFTER} {AFTER}")
    again = [edited(tidewater.briefs[0], f"{BEFORE} {BEFORE}", f"{AFTER} {AFTER}", id_) for id_ in ("x", "y")]
    assert suggest([twice, *again, *edits(tidewater, BEFORE, AFTER, 1)], tidewater.guide) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Holds 12 of them at once.", "Holds 16 of them at once."),
        ("Take the Slow Pot home tonight.", "Take the Slow Mug home tonight."),
        ("Now a tenth off until Sunday.", "Now a fifth off until Sunday."),
        ("Fits a bigleaf filter and more.", "Fits a paper filter and more."),
        ("The inside is glassy and smooth.", "The inside is enamel and smooth."),
    ],
    ids=["number", "name", "offer", "must-have", "fact"],
)
def test_what_the_brief_dictates_is_no_rule(tidewater: BrandFolder, before: str, after: str) -> None:
    briefs = [
        b.model_copy(
            update={
                "product": b.product.model_copy(update={"name": "Slow Mug", "facts": ("Enamel inside",)}),
                "offer": "A fifth off",
                "must_include": ("paper filter",),
            }
        )
        for b in tidewater.briefs[:3]
    ]
    assert suggest([edited(b, before, after) for b in briefs], tidewater.guide) == []


def test_a_dismissed_edit_and_one_the_guide_knows_or_contradicts_are_not_suggested(tidewater: BrandFolder) -> None:
    made = edits(tidewater, BEFORE, AFTER)
    assert suggest(made, tidewater.guide, dismissed={("tranquil", "quiet")}) == []
    (found,) = suggest(made, tidewater.guide)
    assert suggest(made, ruled(tidewater.guide, found.rule)) == []
    for rule in (BannedTerm(term="quiet"), Preference(say="tranquil", instead_of=("placid",))):
        assert suggest(made, ruled(tidewater.guide, rule)) == []


def test_a_rewritten_sentence_suggests_nothing(tidewater: BrandFolder) -> None:
    rewritten = "Nobody moves yet; one quiet cup will do."
    assert suggest(edits(tidewater, BEFORE, rewritten), tidewater.guide) == []
    assert suggest(edits(tidewater, "Tranquil.", "Quiet."), tidewater.guide) == []


def test_words_that_approved_copy_keeps_are_not_suggested(tidewater: BrandFolder) -> None:
    kept = [
        edited(b, "Tranquil mornings are for coffee.", "Tranquil mornings are for coffee.") for b in tidewater.briefs
    ]
    made = edits(tidewater, BEFORE, AFTER)
    assert told(suggest([*made, *kept[:2]], tidewater.guide)) == [("tranquil", "quiet", 3)]
    assert suggest([*made, *kept[:3]], tidewater.guide) == []
    out = edits(tidewater, BEFORE, "A cup before anyone is up.")
    assert suggest([*out, *kept[:1]], tidewater.guide) == []


def test_what_is_taken_out_would_be_banned_and_an_inflected_form_is_another_word(tidewater: BrandFolder) -> None:
    made = edits(tidewater, "Truly, a pot for six people.", "A pot for six people.")
    assert suggest(made, tidewater.guide) == [], "two things went: a word and its comma"
    made = edits(tidewater, "A truly large pot for six.", "A large pot for six.")
    (found,) = suggest(made, tidewater.guide)
    assert isinstance(found.rule, BannedTerm)
    assert found.rule.term == "truly"
    assert found.finding_rule == "lexicon.banned.truly"
    assert found.said() == "You took “truly” out of 3 drafts. Rule: “truly” is banned; it blocks."
    inflected = [*edits(tidewater, BEFORE, AFTER, 2), edited(tidewater.briefs[3], BEFORE.replace("il", "ils"), AFTER)]
    assert suggest(inflected, tidewater.guide) == []


def test_a_mark_is_suggested_only_where_the_guide_still_allows_it(tidewater: BrandFolder) -> None:
    made = edits(tidewater, "The pot is back again!", "The pot is back again.")
    assert suggest(made, tidewater.guide) == []
    lax = ruled(tidewater.guide, StyleLimit("max_exclamation_marks", 2))
    (found,) = suggest(made, lax)
    assert found.rule == StyleLimit("max_exclamation_marks", 0)
    assert found.finding_rule == "style.exclamation_marks"


def test_a_capital_that_only_opened_sentences_is_not_kept(tidewater: BrandFolder) -> None:
    made = edits(tidewater, "Tranquil mornings need a pot.", "Quiet mornings need a pot.")
    assert told(suggest(made, tidewater.guide)) == [("tranquil", "quiet", 3)]


def test_in_a_brand_of_two_languages_a_rule_holds_for_the_one_it_came_from() -> None:
    vela = load_brand("vela")
    german = [b for b in vela.briefs if b.locale == "de-DE"][:3]
    made = [edited(b, "Ein prima Balsam für jeden Tag.", "Ein guter Balsam für jeden Tag.") for b in german]
    (found,) = suggest(made, vela.guide)
    assert (found.locale, found.rule) == ("de-DE", Preference(say="guter", instead_of=("prima",), locale="de-DE"))


def test_the_most_frequent_edit_comes_first(tidewater: BrandFolder) -> None:
    made = [
        *edits(tidewater, "A plain pot for every day.", "A simple pot for every day."),
        *edits(tidewater, BEFORE, AFTER, 4),
        *edits(tidewater, "An ample pot for every day.", "A simple pot for every day."),
        *edits(tidewater, "A bland pot for every day.", "A simple pot for every day."),
    ]
    assert [s.before for s in suggest(made, tidewater.guide)] == ["tranquil", "an ample", "bland", "plain"]


@pytest.mark.parametrize("brand", ["tidewater", "vela", "fjellvik"])
def test_the_recorded_edits_repeat_nothing_and_suggest_nothing(brand: str) -> None:
    folder = load_brand(brand)
    texts = recorded(folder)
    assert sum(t.review.verdict == "edit" for t in texts) > 100
    assert suggest(texts, folder.guide) == []


def test_an_edit_planted_among_the_recorded_ones_is_the_only_one_suggested(tidewater: BrandFolder) -> None:
    texts, rng = recorded(tidewater), random.Random(7)
    has = [n for n, t in enumerate(texts) if re.search(r"\bkitchen\b", t.review.final_text or "")]
    for n in rng.sample(has, 8):
        final = texts[n].review.final_text or ""
        texts[n] = edited(texts[n].brief, re.sub(r"\bkitchen\b", "galley", final), final, texts[n].draft.id)
    ((before, after, count),) = told(suggest(texts, _without_words(tidewater.guide)))
    assert (before, after) == ("galley", "kitchen")
    assert count >= 6


def _without_words(guide: Brand) -> Brand:
    return guide.model_copy(update={"lexicon": type(guide.lexicon)()})
