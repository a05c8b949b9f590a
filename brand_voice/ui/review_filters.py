"""What of the queue a reviewer wants to see, and in what order: brand, channel, author, findings, language, words."""

from typing import NamedTuple

import gradio as gr

from brand_voice.guide import Brand
from brand_voice.store.queue import Narrowed
from brand_voice.ui.brief_form import Values, brand_choices
from brand_voice.ui.copy_view import spoken
from brand_voice.ui.session import Session

ANY = ""
AUTHORS = [("Everybody", ANY), ("Teacher", "teacher"), ("Student", "student"), ("Person", "person")]
ORDERS = [("Oldest first", "oldest"), ("Least certain first", "least_certain")]
WORST = [("All", ANY), ("None", "none"), ("Suggest", "suggest"), ("Warn", "warn"), ("Block", "block")]

MAX_SOUGHT_CHARS = 200
"""The field takes no more; the database has a limit of its own."""


class Filters(NamedTuple):
    """The row's components."""

    brand: gr.Dropdown
    channel: gr.Dropdown
    author: gr.Dropdown
    worst: gr.Dropdown
    locale: gr.Dropdown
    text: gr.Textbox
    order: gr.Dropdown

    def narrowed(self, values: Values) -> Narrowed:
        """What the row's values ask for."""
        return Narrowed(
            channel=values[self.channel] or None,
            author=values[self.author] or None,
            worst=values[self.worst] or None,
            locale=values[self.locale] or None,
            text=(values[self.text] or "").strip()[:MAX_SOUGHT_CHARS] or None,
            order=values[self.order],
        )

    def cleared(self, values: Values) -> Values:
        """The values as they are once another brand is chosen: brand and order stay."""
        return values | {part: ANY for part in self if part not in {self.brand, self.order}}

    def offered(self, guide: Brand) -> Values:
        """Updates that offer another brand's channels and languages, and narrow nothing."""
        return {
            self.channel: gr.Dropdown(_channels(guide), value=ANY),
            self.locale: gr.Dropdown(_locales(guide), value=ANY),
            self.author: ANY,
            self.worst: ANY,
            self.text: "",
        }


def build_filters(session: Session) -> Filters:
    """Lay the row out for the session's first brand; every id is `review-` and the field's name."""
    guide = session.folder(session.first_brand).guide
    return Filters(
        brand=_choice("brand", "Brand", brand_choices(session), guide.id),
        channel=_choice("channel", "Channel", _channels(guide), ANY),
        author=_choice("author", "Written by", AUTHORS, ANY),
        worst=_choice("worst", "Worst finding", WORST, ANY),
        locale=_choice("locale", "Language", _locales(guide), ANY),
        text=gr.Textbox(
            label="Words in the text", max_lines=1, max_length=MAX_SOUGHT_CHARS, min_width=130, elem_id="review-search"
        ),
        order=gr.Dropdown(ORDERS, value="oldest", label="Order", min_width=170, elem_id="review-order"),
    )


def _choice(name: str, label: str, choices: list[tuple[str, str]], value: str) -> gr.Dropdown:
    return gr.Dropdown(choices, value=value, label=label, min_width=130, elem_id=f"review-{name}")


def _channels(guide: Brand) -> list[tuple[str, str]]:
    return [("All", ANY), *((spoken(name), name) for name in guide.channels)]


def _locales(guide: Brand) -> list[tuple[str, str]]:
    return [("All", ANY), *((locale, locale) for locale in guide.locales)]
