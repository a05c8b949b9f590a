"""How a text is shown: what an edit did, word by word."""

from hypothesis import given
from hypothesis import strategies as st

from brand_voice.ui.copy_view import MAX_COMPARED_WORDS, difference


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
