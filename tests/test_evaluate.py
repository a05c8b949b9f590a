"""From scored texts to a report: what is paired with what, which slices there are, what the Markdown lets through."""

import pytest
from report_samples import ADAPTER, BRAND, finding, scored, side, unlike

from brand_voice.evaluate import Subject, Voice, evaluate, markdown
from brand_voice.evidence import Report
from brand_voice.figures import Scored
from brand_voice.rates import Rate
from brand_voice.records import Example
from brand_voice.settings import MarginSettings
from brand_voice.voice import Sample, VoiceJudge

BRIEFS = 80
BAD = finding("truth.number")


def report(candidate: list[Scored], reference: list[Scored], *, voice: Voice | None = None) -> Report:
    subject = Subject(ADAPTER, BRAND.guide, "golden", 2, "teacher", 3, MarginSettings())
    train = [Example(brief=BRAND.briefs[300], text=unlike(0), draft_id="x", verdict="approve", split="train")]
    sides = [side("candidate", candidate), side("reference", reference), side("echo", reference)]
    return evaluate(subject, sides, train, voice)


def good(count: int = BRIEFS, candidate: int = 0) -> list[Scored]:
    return [scored(i, unlike(i + 200 * candidate), candidate=candidate) for i in range(count)]


def bad(indices: range, candidate: int = 0) -> list[Scored]:
    return [scored(i, unlike(i), BAD, candidate=candidate) for i in indices]


def test_a_report_survives_the_way_to_disk_and_back() -> None:
    made = report(good(), good())
    assert Report.model_validate_json(made.model_dump_json()) == made
    assert (made.decision, made.decided_before, made.voice_accuracy) == ("ready", 2, None)
    assert [each.role for each in made.sides] == ["candidate", "reference", "echo"]


def test_a_brief_counts_once_however_many_texts_it_got() -> None:
    one_bad_brief = [*bad(range(1)), *bad(range(1), 1), *bad(range(1), 2), *good()[1:]]
    found = report(one_bad_brief, good()).difference("all_pass")
    assert found is not None
    assert (found.candidate, found.reference, found.briefs) == (round(79 / 80, 4), 1.0, BRIEFS)


def test_further_texts_of_the_same_briefs_are_no_further_briefs() -> None:
    once = report([*bad(range(20)), *good()[20:]], good()).difference("all_pass")
    thrice = [t for c in range(3) for t in (*bad(range(20), c), *good(candidate=c)[20:])]
    again = report(thrice, good()).difference("all_pass")
    assert once is not None
    assert again is not None
    assert (again.low, again.high) == (once.low, once.high)


def test_only_briefs_that_both_were_asked_are_compared() -> None:
    made = report([*good(60), *bad(range(60, BRIEFS))], good(60))
    assert all(each.briefs == 60 for each in made.differences)
    assert (found := made.difference("all_pass")) is not None
    assert found.change == 0
    assert made.sides[0].all_pass == Rate(hits=60, of=80), "its own figures are of all it wrote"


def test_a_failed_draft_counts_against_all_pass_and_truth_and_not_against_variety() -> None:
    failed = [scored(i, failure="cut_off") for i in range(20)]
    made = report([*failed, *good()[20:]], good())
    shares = {each.measure: (each.candidate, each.briefs) for each in made.differences}
    assert shares["all_pass"] == shares["truth"] == (0.75, BRIEFS)
    assert shares["diversity"][1] == 60
    assert made.decision == "not_yet"


def test_a_warning_is_a_matter_of_truth_and_not_of_publishing() -> None:
    warned = [scored(i, unlike(i), finding("truth.number_word", "warn")) for i in range(BRIEFS)]
    made = report(warned, good())
    assert [made.difference(m).candidate for m in ("all_pass", "truth")] == [1.0, 0.0]
    assert "worse than the reference: texts whose facts are all in the brief 0%" in made.sentence


def test_sameness_is_noticed() -> None:
    same = [scored(i, "Good coffee for a good morning, and more of it.") for i in range(BRIEFS)]
    made = report(same, good())
    assert (found := made.difference("diversity")) is not None
    assert found.is_worse
    assert found.candidate == pytest.approx(0)


def test_slices_are_of_the_briefs_and_only_large_ones_have_an_interval() -> None:
    unseen_bad = [scored(i, unlike(i), *([BAD] if i % 2 == 0 else [])) for i in range(120)]
    made = report(unseen_bad, good(120))
    found = {(each.dimension, each.value): each for each in made.slices}
    unseen = found["product", "unseen"]
    assert (unseen.briefs, unseen.candidate, unseen.reference) == (60, Rate(hits=0, of=60), Rate(hits=60, of=60))
    assert unseen.high is not None
    assert unseen.high < -0.9
    assert found["product", "seen"].change == 0
    small = next(each for each in made.slices if each.is_descriptive)
    assert small.low is None
    assert {each.dimension for each in made.slices} == {"channel", "product", "offer", "length"}, "one locale is none"
    for dimension in ("channel", "offer", "length"):
        assert sum(each.briefs for each in made.slices if each.dimension == dimension) == 120
    assert "unseen products: 100.0 points lower (60 briefs)" in made.exceptions


def test_voice_is_judged_in_the_language_the_judge_knows_and_a_failure_sounds_like_nobody() -> None:
    brisk = "Grab it now, team! Big flavor, big energy, and don't you wait!"
    calm = "One keeps it near the window; the light does what is left to do."
    copy = {
        "tidewater": [Sample(f"{calm} {unlike(i)}", BRAND.briefs[i]) for i in range(60)],
        "other": [Sample(f"{brisk} {unlike(i + 99)}", BRAND.briefs[i]) for i in range(60, 120)],
    }
    voice = Voice(VoiceJudge.fit(copy, BRAND.products), "en")
    own = [scored(i, f"{calm} {unlike(i + 300)}") for i in range(50)]
    mixed = [*own[:25], *(scored(i, f"{brisk} {unlike(i + 300)}") for i in range(25, 49)), scored(49, failure="empty")]
    german = own[0].brief.model_copy(update={"locale": "de-DE"})
    made = report([*mixed, own[0]._replace(brief=german)], own, voice=voice)
    assert made.sides[0].voice == Rate(hits=25, of=50)
    assert made.sides[1].voice == Rate(hits=50, of=50)
    assert made.voice_accuracy == 1.0
    assert (found := made.difference("voice")) is not None
    assert found.is_worse


def test_pairs_are_ten_and_not_chosen_by_result() -> None:
    picks = [report(texts, good()).pairs for texts in (good(), bad(range(BRIEFS)))]
    assert [p.brief.id for p in picks[0]] == [p.brief.id for p in picks[1]]
    assert len(picks[0]) == 10
    assert picks[1][0].candidate_blocks == ("truth.number is off",)


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", "[x](javascript:alert(1))", "| a | b |"])
def test_model_text_is_no_markup_in_the_report(hostile: str) -> None:
    texts = [scored(i, f"{hostile} {unlike(i)}") for i in range(12)]
    made = report(texts, texts)
    assert hostile not in markdown(made)


def test_the_markdown_begins_with_the_decision() -> None:
    told = markdown(report(bad(range(BRIEFS)), good()))
    assert told.startswith("# Not yet: worse than the reference: texts without a blocking finding 0% against 100%")
    assert "| **without a blocking finding** | 0% (0/80) | 100% (80/80) | 100% (80/80) |" in told
