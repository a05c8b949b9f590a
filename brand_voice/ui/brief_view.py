"""A brief as something to read: names on the left, what they are on the right; empty fields are not seen."""

from typing import NamedTuple

import gradio as gr

from brand_voice.records import Brief
from brand_voice.ui.brief_form import Values
from brand_voice.ui.copy_view import spoken
from brand_voice.ui.parts import quiet

FIELDS = (
    "Channel",
    "Product",
    "Category",
    "Facts",
    "Message",
    "Audience",
    "Offer",
    "Occasion",
    "Call to action",
    "Must include",
    "Language",
)


class BriefView(NamedTuple):
    """The fields, each a text."""

    fields: dict[str, gr.Textbox]

    @property
    def components(self) -> tuple[gr.Textbox, ...]:
        """Everything that changes."""
        return tuple(self.fields.values())

    def shown(self, brief: Brief | None) -> Values:
        """Updates that show a brief, or none."""
        said = _said(brief) if brief else dict.fromkeys(FIELDS, "")
        return {part: said[label] for label, part in self.fields.items()}


def build_brief_view() -> BriefView:
    """Lay the fields out under a heading."""
    gr.HTML("<h2>Brief</h2>", padding=False, elem_classes="bv-title")
    return BriefView({label: quiet(label, elem_id=_id(label), show_label=True) for label in FIELDS})


def _id(label: str) -> str:
    return f"read-{label.lower().replace(' ', '-')}"


def _said(brief: Brief) -> dict[str, str]:
    product = brief.product
    return {
        "Channel": spoken(brief.channel),
        "Product": product.name,
        "Category": product.category,
        "Facts": "\n".join(product.facts),
        "Message": brief.key_message,
        "Audience": spoken(brief.audience or ""),
        "Offer": brief.offer or "",
        "Occasion": brief.occasion or "",
        "Call to action": brief.cta or "",
        "Must include": "\n".join(brief.must_include),
        "Language": brief.locale,
    }
