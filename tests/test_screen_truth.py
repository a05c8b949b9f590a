import pytest
from screen_samples import a_brand, a_brief, found

from brand_voice.records import BriefProduct
from brand_voice.screen.text import shown

FACTS = ("1,000 ml pot", "weighs 890 g", "12-oz cup", "boils in two minutes", "comfort -2 °C", "15% less gas")


@pytest.mark.parametrize(
    "text",
    [
        "1000 ml.",
        "1.000 ml.",
        "1\u202f000 ml.",
        "One litre, 1 l in all.",
        "0.89 kg.",
        "0,89 kg",
        "12 oz.",
        "12 ounces",
        "2 minutes",
        "120 s",
        "Comfort \u22122 °C.",
        "Comfort minus 2 °C",
        "15 % less gas",
        "15 per cent less",
        "15\u00a0% weniger",
        "15 Prozent",
        "zwei Minuten",
    ],
)
def test_the_same_number_in_another_notation_is_known(text):
    assert not found(text, a_brief(*FACTS))


@pytest.mark.parametrize(
    ("text", "rule", "part"),
    [
        ("Now 1,500 ml.", "truth.number", "1,500 ml"),
        ("Weighs 890 oz.", "truth.number", "890 oz"),
        ("Comfort 2 °C.", "truth.number", "2 °c"),
        ("15% less, 25% more.", "truth.percent", "25%"),
        ("15 € only.", "truth.price", "15 €"),
        ("From $15.", "truth.price", "$15"),
        ("A seven-minute boil.", "truth.number_word", "seven-minute"),
        ("Einundzwanzig Töpfe.", "truth.number_word", "einundzwanzig"),
        ("With code STOVE20.", "truth.code", "stove20"),
        ("Use code SLOWCUP now.", "truth.code", "slowcup"),
        ("Rated IPX7.", "truth.code", "ipx7"),
        ("Try it on Sunday.", "truth.date", "sunday"),
        ("In May.", "truth.date", "may"),
        ("Free shipping.", "truth.offer", "free shipping"),
        ("Jetzt versandkostenfrei.", "truth.offer", "versandkostenfrei"),
        ("Half price.", "truth.offer", "half price"),
        ("15% off through Friday", "truth.deadline", "friday"),
        ("Bis Freitag 15 % Rabatt", "truth.deadline", "freitag"),
    ],
)
def test_what_the_brief_does_not_say_is_found_with_its_span(text, rule, part):
    finding = found(text, a_brief(*FACTS))[rule]
    assert text[finding.start : finding.end].lower() == part


@pytest.mark.parametrize(
    "text", ["May we? You may march on.", "Both hands, twice, half asleep, one of them.", "First things first."]
)
def test_words_that_only_look_like_dates_or_counts_pass(text):
    assert not found(text, a_brief(*FACTS))


def test_figures_block_and_moods_only_warn():
    rules = found("Seven of us at 5:50 a.m. on Sunday, 3 cups, hang it up until May.", a_brief(*FACTS))
    severities = {rule: finding.severity for rule, finding in rules.items()}
    assert severities == {
        "truth.number": "block",
        "truth.number_word": "warn",
        "truth.time": "warn",
        "truth.date": "warn",
    }


def test_an_hour_blocks_where_the_brief_names_another():
    brief = a_brief("named for the 5:40 a.m. boat")
    assert not found("Boat at 5:40: be there.", brief)
    assert found("The 5:45 a.m. boat.", brief)["truth.time"].severity == "block"


def test_a_listed_thing_may_be_counted():
    assert not found("A 3-fuel stove.", a_brief("burns petrol, paraffin and gas"))


def test_a_number_of_the_products_name_is_no_fact():
    brief = a_brief("marked inside", product=BriefProduct(name="Tynn 900", category="pot", facts=("marked inside",)))
    assert not found("Tynn 900 is marked.", brief)
    assert "truth.number" in found("Tynn 900 holds 900 ml.", brief)


def test_german_copy_may_use_the_facts_of_an_english_brief():
    brief = a_brief("0.05% retinal", "SPF 30", "through Sunday", locale="de-DE", offer="20% off through Sunday")
    text = "0,05 % Retinal, LSF30, bis Sonntag 20 % Rabatt."
    assert not found(text, brief)


def test_an_exact_number_where_the_brief_hedges_is_a_warning():
    brief = a_brief("sets in about 10 minutes")
    assert found("Sets in 10 minutes.", brief)["truth.approximate"].severity == "warn"
    assert not found("Sets in about ten minutes.", brief)


def test_another_product_of_the_catalogue_blocks():
    catalogue = ["Glo Stove", "Lykt", "Rim Solo"]
    text = "Pair Glo Stove with Lykt."
    finding = found(text, catalogue=catalogue)["truth.product"]
    assert finding.severity == "block" and text[finding.start : finding.end] == "Lykt"
    assert not found(text, a_brief("goes with Lykt"), catalogue=catalogue)
    assert not found("Lykta, rim solo.", catalogue=catalogue)


def test_an_approved_claim_is_a_source_of_facts():
    assert not found("Made in 3 towns.", brand=a_brand(approved_claims=("made in 3 towns",)))


def test_a_quoted_fragment_can_always_be_printed():
    assert shown("a\ud800\u202eb\nc" + "d" * 60).isprintable()
