"""How a text is shown: what an edit did, word by word."""

from hypothesis import given
from hypothesis import strategies as st

from brand_voice.records import Finding
from brand_voice.ui.copy_view import MAX_COMPARED_WORDS, difference, fixed, fixes


def test_an_edit_shows_what_went_and_what_came() -> None:
    assert difference("We purchase a mug, slowly.", "We get a mug. Slowly.") == [
        ("We ", None),
        ("purchase", "Out"),
        ("get", "In"),
        (" a mug", None),
        (", slowly", "Out"),
        (". Slowly", "In"),
        (".", None),
    ]
    assert difference("Discover Toba Rain", "An artisanal thing") == [
        ("Discover Toba Rain", "Out"),
        ("An artisanal thing", "In"),
    ]
    assert difference("same", "same") == []


@given(st.text(max_size=60), st.text(max_size=60))
def test_without_what_came_it_is_the_old_text_and_without_what_went_the_new(before: str, after: str) -> None:
    shown = difference(before, after)
    if before != after:
        assert "".join(text for text, label in shown if label != "In") == before
        assert "".join(text for text, label in shown if label != "Out") == after


def test_endless_texts_are_shown_whole_instead_of_compared() -> None:
    long = "word " * MAX_COMPARED_WORDS
    assert difference(long, "short") == [(long, "Out"), ("short", "In")]


def at(text: str, word: str, suggestion: str | None, nth: int = 0) -> Finding:
    start = -1
    for _ in range(nth + 1):
        start = text.index(word, start + 1)
    end = start + len(word)
    return Finding(rule="r", check="lexicon", severity="warn", message="m", start=start, end=end, suggestion=suggestion)


def test_a_fix_mends_every_place_and_only_what_it_names() -> None:
    text = "We purchase a very fine mug, and purchase it well!"
    found = [at(text, "purchase", "get"), at(text, "purchase", "get", 1), at(text, "very", ""), at(text, "mug", None)]
    assert fixes(text, found) == ["“purchase” → “get”", "Take out “very”"]
    assert fixed(text, found, "“purchase” → “get”") == "We get a very fine mug, and get it well!"
    assert fixed(text, found, "Take out “very”") == "We purchase a fine mug, and purchase it well!"
    assert fixed(text, found, "something else") == text
