"""The judge of voice, on the three brands' recorded copy: it hears the brand and not what the brand sells."""

import pytest

from brand_voice.brand import BrandFolder, load_brand
from brand_voice.records import Brief
from brand_voice.voice import GAP, Sample, VoiceJudge, topic_stems, without_topic

PER_BRAND = 240
LONG = ("product_blurb", "social_post")


@pytest.fixture(scope="module")
def brands() -> list[BrandFolder]:
    return [load_brand(name) for name in ("tidewater", "fjellvik", "vela")]


@pytest.fixture(scope="module")
def sides(brands: list[BrandFolder]) -> tuple[dict[str, list[Sample]], list[tuple[str, Sample]]]:
    """Recorded English copy: what the judge learns from, and longer texts for other briefs."""
    known, held_out = {}, []
    for brand in brands:
        briefs = {b.id: b for b in brand.briefs if b.locale.startswith("en-")}
        texts = [Sample(r.text, briefs[r.brief_id]) for r in brand.recordings if r.brief_id in briefs]
        known[brand.guide.id] = texts[:PER_BRAND]
        seen = {s.brief.hash for s in texts[:PER_BRAND]}
        later = [s for s in texts[PER_BRAND:] if s.brief.hash not in seen and s.brief.channel in LONG]
        held_out += [(brand.guide.id, sample) for sample in later[:60]]
    return known, held_out


@pytest.fixture(scope="module")
def judge(brands: list[BrandFolder], sides: tuple[dict[str, list[Sample]], object]) -> VoiceJudge:
    return VoiceJudge.fit(sides[0], [p for b in brands for p in b.products])


def echoed(brief: Brief) -> str:
    return ". ".join((brief.product.name, brief.key_message, *brief.product.facts)) + "."


def share(judge: VoiceJudge, samples: list[tuple[str, Sample]]) -> float:
    heard = judge.brands_of([sample for _, sample in samples])
    return sum(a == brand for a, (brand, _) in zip(heard, samples, strict=True)) / len(samples)


def test_numbers_and_the_words_of_brief_and_catalogue_are_hidden_and_the_rest_stays(brands: list[BrandFolder]) -> None:
    brief = brands[0].briefs[0]  # Toba Rain, wet-hulled in Sumatra, low acidity, 12 oz bag
    text = "Pour the cream in. Toba Rain is still there, wet-hulled in Sumatra, 12 oz, and it doesn't fold in a tent."
    stems = topic_stems(p for b in brands for p in b.products)
    masked = without_topic(Sample(text, brief), stems)
    assert not {"toba", "sumatra", "wet", "12", "oz", "tent"} & set(masked.replace(".", " ").replace(",", " ").split())
    assert f"{GAP} is still there, {GAP}" in masked
    assert "and it doesn't" in masked


def test_a_brief_s_phrase_is_hidden_with_its_small_words(brands: list[BrandFolder]) -> None:
    brief = brands[0].briefs[0]
    echo = without_topic(Sample(echoed(brief), brief), frozenset())
    assert set(echo) <= set(f"{GAP}. "), echo


def test_the_judge_hears_the_brand_in_copy_for_briefs_it_has_not_seen(
    judge: VoiceJudge, sides: tuple[object, list[tuple[str, Sample]]]
) -> None:
    assert share(judge, sides[1]) > 0.6
    assert 0.45 < judge.cross_validated < 0.9


def test_the_brief_s_bare_fields_tell_the_brand_no_better_than_chance(
    judge: VoiceJudge, sides: tuple[object, list[tuple[str, Sample]]]
) -> None:
    echoes = [(brand, Sample(echoed(s.brief), s.brief)) for brand, s in sides[1]]
    by_brand = [share(judge, [e for e in echoes if e[0] == brand]) for brand in {b for b, _ in echoes}]
    assert sum(by_brand) / len(by_brand) < 0.45


def test_a_recited_training_text_is_judged_by_a_judge_that_has_not_seen_it(
    judge: VoiceJudge, sides: tuple[dict[str, list[Sample]], object]
) -> None:
    recited = [(brand, sample) for brand, samples in sides[0].items() for sample in samples]
    assert share(judge, recited) == pytest.approx(judge.cross_validated, abs=0.03)


def test_the_same_copy_and_seed_make_the_same_judge(
    brands: list[BrandFolder], judge: VoiceJudge, sides: tuple[dict[str, list[Sample]], list[tuple[str, Sample]]]
) -> None:
    again = VoiceJudge.fit(sides[0], [p for b in brands for p in b.products])
    samples = [sample for _, sample in sides[1]]
    assert again.brands_of(samples) == judge.brands_of(samples)
    assert judge.brands_of([]) == []
