import pytest
from screen_samples import a_brand, a_brief, found, mended

from brand_voice.errors import BrandError
from brand_voice.guide import BannedTerm, Channel, Lexicon, Preference, Requirement, RestrictedClaim
from brand_voice.screen.screening import Screener, screen

WORDS = Lexicon(
    banned=(
        BannedTerm(term="epic", why="hype"),
        BannedTerm(term="the elements"),
        BannedTerm(term="wunder", match="substring"),
    ),
    prefer=(
        Preference(say="weather", instead_of=("the elements", "skies")),
        Preference(say="LSF", instead_of=("SPF",), locale="de-DE"),
        Preference(say="joe public", instead_of=("joe",)),
    ),
)


def claim(pattern, unless_fact=None):
    rule = RestrictedClaim(id="eco", pattern=pattern, unless_fact=unless_fact, message="No.")
    return a_brand(restricted_claims=(rule,))


def test_a_banned_term_blocks_as_a_word_and_a_substring_inside_one():
    brand = a_brand(lexicon=WORDS)
    assert found("An EPIC stove.", brand=brand)["lexicon.banned.epic"].severity == "block"
    assert found("Ein Küchenwunderwerk.", brand=brand)["lexicon.banned.wunder"].start == 10
    assert not found("An epicure's stove.", brand=brand)


def test_a_better_word_is_offered_in_the_case_of_the_worse_one():
    brand = a_brand(lexicon=WORDS)
    text = "Skies clear. Beat The elements."
    rules = found(text, brand=brand)
    assert mended(text, rules["lexicon.prefer.skies"]).startswith("Weather clear")
    assert mended(text, rules["lexicon.banned.the elements"]) == "Skies clear. Beat Weather."


def test_a_preference_keeps_to_its_locale_and_spares_the_better_word():
    brand = a_brand(lexicon=WORDS)
    assert "lexicon.prefer.spf" in found("SPF drin.", a_brief(locale="de-DE"), brand)
    assert not found("SPF and joe public.", brand=brand)


def test_words_the_brief_prescribes_are_no_findings():
    brief = a_brief(must_include=("Epic Mug",))
    assert not found("The Epic Mug.", brief, a_brand(lexicon=WORDS))


def test_a_restricted_claim_needs_its_fact_or_an_approval():
    brand = claim(r"\brecycled\b", r"\brecycled\b")
    assert found("Recycled steel.", brand=brand)["claims.eco"].severity == "block"
    assert not found("Recycled steel.", a_brief("recycled steel"), brand)
    approved = brand.model_copy(update={"approved_claims": ("half recycled",)})
    assert not found("Half recycled.", brand=approved)
    assert "claims.eco" in found("Half recycled, all recycled.", brand=approved)


def test_a_requirement_holds_where_its_condition_does_and_the_channel_is_long_enough():
    rule = Requirement(id="mm", when="waterproof", must_include=r"\d ?mm", min_channel_chars=400, message="How many?")
    brand = a_brand(required=(rule,))
    brief = a_brief("5 mm")
    assert found("Waterproof.", brief, brand)["requirements.mm"].severity == "block"
    assert not found("Waterproof to 5 mm.", brief, brand)
    assert "requirements" in screen("Dry.", brief, brand).checks
    short = a_brief("5 mm", channel="sms")
    assert "requirements" not in screen("Waterproof.", short, brand).checks


@pytest.mark.parametrize("pattern", ["(", "a{99999999999999}", "(?P<x>", "a*"])
def test_a_bad_pattern_is_named_when_the_brand_is_prepared(pattern):
    with pytest.raises(BrandError, match="eco") as caught:
        Screener(claim(pattern))
    assert "acme" in caught.value.message and "eco" in caught.value.remedy


def test_a_runaway_pattern_stops_with_its_rule_and_source(monkeypatch):
    monkeypatch.setattr("brand_voice.screen.patterns.MATCH_TIMEOUT_S", 0.05)
    with pytest.raises(BrandError, match=r"eco.*\(a\|aa\)\+b"):
        found("a" * 200, brand=claim("(a|aa)+b"))


def test_must_haves_ignore_case_and_space_but_not_word_boundaries():
    brief = a_brief(must_include=("Glo Stove", "RIME15"), product=a_brief().product)
    assert not found("glo\u00a0 stove's code: rime15", a_brief(must_include=("Glo Stove", "RIME15"), offer="rime15"))
    missing = [f for f in screen("Glow Stoves, RIME150", brief, a_brand()).findings if f.check == "must_have"]
    assert [f.severity for f in missing] == ["block", "block"]


def test_an_offer_stands_whole_in_the_brands_first_locale():
    brief = a_brief(offer="20% off until Friday")
    assert not found("20% OFF  until friday. Go.", brief)
    assert found("Until Friday: 20% off.", brief)["offer.missing"].severity == "block"


def test_a_localised_offer_keeps_its_numbers_and_codes():
    brief = a_brief(offer="$5 off with code KIND5", locale="de-DE")
    assert not found("5 $ Rabatt mit Code KIND5.", brief)
    assert "offer.missing" in found("5 $ Rabatt.", brief)
    assert "offer.missing" in found("Rabatt mit Code KIND5.", brief)
    assert "offer" not in screen("Gratis.", a_brief(offer="free shipping", locale="de-DE"), a_brand()).checks


def test_only_checks_that_apply_are_counted():
    assert screen("Short.", a_brief(), a_brand()).checks == ("length", "style", "truth")
    full = a_brand(
        lexicon=WORDS,
        restricted_claims=claim("eco").restricted_claims,
        required=(Requirement(id="r", when="x", must_include="y", message="m"),),
    )
    brief = a_brief(must_include=("Glo Stove",), offer="10% off")
    text = "Glo Stove is the one you keep, 10% off."
    expected = "length lexicon style claims requirements must_have offer truth language"
    assert screen(text, brief, full).checks == tuple(expected.split())


def test_length_blocks_beyond_the_channel_and_marks_the_rest():
    brand = a_brand(channels={"post": Channel(min_chars=5, max_chars=10)})
    rule = found("Twelve chars", brand=brand)["length.max"]
    assert (rule.severity, rule.start, rule.end) == ("block", 10, 12)
    assert found("Four", brand=brand)["length.min"].severity == "block"
    assert "length.min" in found("   ", brand=a_brand())


def test_a_text_beyond_reading_is_blocked_for_its_length():
    rules = found("epic " * 200_000, brand=a_brand(lexicon=WORDS))
    assert rules["length.max"].severity == "block" and "lexicon.banned.epic" in rules


@pytest.mark.parametrize(
    ("text", "locale", "is_foreign"),
    [
        ("Diese Pfanne wird schnell heiß und bleibt es den ganzen Abend.", "en-GB", True),
        ("This pan gets hot quickly and stays hot all evening.", "de-DE", True),
        ("Cette poêle chauffe vite et reste chaude toute la soirée.", "en-GB", True),
        ("Diese Pfanne wird schnell heiß und bleibt es den ganzen Abend.", "de-DE", False),
        ("Quick, hot, steady pan keeps every weekday supper moving.", "en-GB", False),
    ],
)
def test_copy_in_another_language_is_a_warning(text, locale, is_foreign):
    rules = found(text, a_brief(locale=locale))
    assert ("language.other" in rules) == is_foreign
    assert not is_foreign or rules["language.other"].severity == "warn"
