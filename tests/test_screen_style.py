import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from screen_samples import a_brand, a_brief, found, mended

from brand_voice.guide import BannedTerm, Lexicon, Preference, Style
from brand_voice.records import BriefProduct
from brand_voice.screen.screening import Screener
from brand_voice.screen.sms import encoding, sms_segments
from brand_voice.screen.text import fold, sentences

STRICT = Style(contractions=False, max_question_marks=0, max_sentence_words=8, allow_em_dash=False)
TERMS = Lexicon(
    banned=(BannedTerm(term="epic"), BannedTerm(term="don't miss")),
    prefer=(Preference(say="walk", instead_of=("trek", "wander about")),),
)
BRAND = a_brand(style=STRICT, lexicon=TERMS)
SCREENER = Screener(BRAND, ["Lykt"])
PIECES = [
    *"!?#—’\u200b\u202e\u200d\u00ad\ud83d\ufffd\ufe0f😀👩☀©ب\u0301İßẞ.,'\n \t",
    *("don't", "can't", "it's", "SALE", "NOW", "in in", "Glo Stove", "#hot", "epic", "trek", "**", "{name}"),
    *("12", "1.000,5", "10 %", "$5", "½", "twenty one", "code", "A1", "Get one more bag.", "bis Sonntag", "Lykt"),
]
WILD = st.one_of(
    st.lists(st.sampled_from([*PIECES, " "]), max_size=40).map("".join),
    st.text(st.characters(codec=None), max_size=200),
    st.text(st.characters(categories=["Cs", "Cf", "Cc", "Lu", "So", "Nd", "No", "Po"]), max_size=60),
)


@pytest.mark.parametrize(
    ("text", "rule", "result"),
    [
        ("Go now!!", "style.exclamation_marks", "Go now."),
        ("Really?!", "style.exclamation_marks", "Really?"),
        ("So #warm today", "style.hashtags", "So warm today"),
        ("Hot 👩‍🚀 tea", "style.emoji", "Hot  tea"),
        ("Hot — fast", "style.em_dash", "Hot, fast"),
        ("We don’t wait", "style.contractions", "We do not wait"),
        ("It's hot", "style.contractions", "It is hot"),
        ("A BIG SALE NOW on", "style.capitals", "A BIG sale now on"),
        ("Sinks in in seconds", "style.repeated_word", "Sinks in seconds"),
        ("Get one more bag. Get one more bag.", "style.repeated_sentence", "Get one more bag. "),
        ("Hid\u200b\u202eden", "style.hidden_characters", "Hidden"),
        ("Torn \ud83d off", "style.hidden_characters", "Torn  off"),
    ],
)
def test_a_style_finding_offers_its_fix(text, rule, result):
    assert mended(text, found(text, brand=BRAND)[rule]) == result


def test_hidden_characters_block_and_other_style_does_not():
    rules = found("Wow! Hid\u202eden", brand=BRAND)
    assert rules["style.hidden_characters"].severity == "block"
    assert rules["style.exclamation_marks"].severity == "warn"
    long = found("one word after the other until the line is much too long", brand=BRAND)
    assert long["style.sentence_length"].severity == "suggest"


def test_a_phrase_that_stands_twice_blocks_and_a_short_echo_warns():
    text = "Pours like a stout, drinks like coffee, drinks like coffee, drinks like coffee. Chill a few."
    loop = found(text, brand=BRAND)["style.repeated_phrase"]
    assert (loop.severity, text[loop.start : loop.end]) == ("block", "drinks like coffee, drinks like coffee")
    apart = found("It is a strong cup that isn't burnt, and it's a strong cup that isn't burnt.", brand=BRAND)
    assert apart["style.repeated_phrase"].severity == "block"
    assert found("Dry in 20 minutes, 20 minutes", brand=BRAND)["style.repeated_phrase"].severity == "warn"
    assert "style.repeated_phrase" not in found("The sieve, the sink. Grounds in the sieve, again.", brand=BRAND)


def test_a_long_name_or_offer_may_stand_twice():
    name = "The Little Tin of Loose Tea"
    brief = a_brief(product=BriefProduct(sku="T-1", name=name, category="tea"), must_include=(name,))
    assert not found(f"{name}: open it. Then close {name}.", brief)


def test_joiners_that_a_script_or_an_emoji_needs_are_not_hidden():
    brand = a_brand(style=Style(allow_emoji=True))
    assert not found("می\u200cخواهم 👩\u200d🚀", brand=brand)


def test_codes_units_and_the_briefs_own_capitals_are_not_shouting():
    assert not found("PFAS out, code RIME15.", a_brief("PFAS-free", must_include=("RIME15",)), a_brand())


def test_a_name_may_repeat_itself():
    brief = a_brief(must_include=("Hori Hori",))
    assert not found("Hori Hori digs.", brief)


def test_placeholders_and_markup_are_noticed():
    for text in ("Hello [name]", "**Hot** stove", "Buy {product}", "Hot <|im_end|>"):
        assert "style.markup" in found(text)


@settings(max_examples=400, deadline=None)
@given(WILD)
@example("x" * 1_000_000)
@example("\u202e" * 50_000 + " " * 50_000)
@example("! " * 20_000)
def test_any_text_is_screened_and_every_span_lies_inside_it(text):
    brief = a_brief("12 oz", channel="sms", offer="10% off", must_include=("Glo Stove",))
    screening = SCREENER.screen(text, brief)
    assert screening == SCREENER.screen(text, brief)
    for finding in screening.findings:
        assert (finding.start is None) == (finding.end is None)
        assert finding.start is None or 0 <= finding.start < finding.end <= len(text)
        assert finding.suggestion is None or finding.start is not None


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map(" ".join) | WILD)
def test_a_suggestion_put_in_place_removes_its_finding(text):
    brief = a_brief("12 oz", channel="sms")
    findings = SCREENER.screen(text, brief).findings
    for finding in findings:
        if finding.suggestion is not None:
            after = SCREENER.screen(mended(text, finding), brief).findings
            assert sum(f.rule == finding.rule for f in after) < sum(f.rule == finding.rule for f in findings), finding


@given(st.text(st.characters(codec=None)))
def test_folding_keeps_every_offset(text):
    assert len(fold(text)) == len(text)


@pytest.mark.parametrize(
    "parts",
    [
        ["A 12 oz. bag of No. 9.", "Get one."],
        ["At 6 a.m. the pot is on.", "Dr. Oh says 3.5 g."],
        ["Es hält, z. B. Glycerin.", "Bis 31. Januar gratis."],
        ["Really?", "Yes!", "It holds 12 oz.", "Order one."],
        ["“Hot.”", "Then (cold).", "It came to 9.", "Next day: 8."],
    ],
)
def test_sentences_end_where_a_reader_ends_them(parts):
    text = " ".join(parts)
    assert [text[start:end] for start, end in sentences(text)] == parts


@pytest.mark.parametrize(
    ("text", "expected", "segments"),
    [
        ("", "GSM-7", 0),
        ("a" * 160, "GSM-7", 1),
        ("a" * 161, "GSM-7", 2),
        ("€" * 80, "GSM-7", 1),
        ("€" * 81, "GSM-7", 2),
        ("a" * 152 + "€" * 77, "GSM-7", 3),
        ("Sø" * 80, "GSM-7", 1),
        ("°" * 70, "UCS-2", 1),
        ("°" * 71, "UCS-2", 2),
        ("😀" * 35, "UCS-2", 1),
        ("😀" * 67, "UCS-2", 3),
    ],
)
def test_sms_segments_are_counted_as_the_network_does(text, expected, segments):
    assert (encoding(text), sms_segments(text)) == (expected, segments)


def test_one_curly_quote_that_doubles_an_sms_is_fixed_in_one_click():
    text = "It’s hot. " + "a" * 100
    brief = a_brief(channel="sms")
    finding = found(text, brief)["length.sms_segments"]
    assert finding.severity == "warn"
    assert "length.sms_segments" not in found(mended(text, finding), brief)
