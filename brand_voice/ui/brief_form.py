"""The brief as a form: what a copywriter fills in, and the record that comes of it.

A product comes from the catalogue, which fills name, category and facts, or is typed; either way the three stay
editable, because the copy may use only what the brief says. Values are whatever a browser sends; the record checks.
"""

from typing import Any, NamedTuple

import gradio as gr
from pydantic import ValidationError

from brand_voice.brand import BrandFolder
from brand_voice.errors import InputError
from brand_voice.guide import Brand
from brand_voice.records import Brief
from brand_voice.ui.copy_view import spoken
from brand_voice.ui.session import Session

Values = dict[Any, Any]
"""Values or updates by component."""
TYPED = ""
"""The product that is not from the catalogue; also the audience that is not set."""
LABELS = {
    "channel": "Channel",
    "locale": "Language",
    "product.name": "Product name",
    "product.category": "Category",
    "product.facts": "Facts",
    "audience": "Audience",
    "key_message": "Message",
    "offer": "Offer",
    "occasion": "Occasion",
    "cta": "Call to action",
    "must_include": "Must include",
}
COMPLAINTS = {
    "string_too_short": "is empty",
    "string_too_long": "is longer than 2,000 characters",
    "too_long": "has more than 20 lines",
}


class BriefForm(NamedTuple):
    """The form's components."""

    brand: gr.Dropdown
    channel: gr.Dropdown
    locale: gr.Dropdown
    product: gr.Dropdown
    name: gr.Textbox
    category: gr.Textbox
    facts: gr.Textbox
    message: gr.Textbox
    audience: gr.Dropdown
    offer: gr.Textbox
    occasion: gr.Textbox
    cta: gr.Textbox
    must_include: gr.Textbox

    def read(self, values: Values, folder: BrandFolder) -> Brief:
        """The brief that the form's values make.

        Raises:
            InputError: fields are missing, too long or otherwise not what a brief takes; all are named by their labels.
        """
        said = {field: values[component] for field, component in self._asdict().items()}
        product = next((p for p in folder.products if p.name == said["product"] == (said["name"] or "").strip()), None)
        try:
            return Brief.model_validate(
                {
                    "id": "write",
                    "brand": said["brand"],
                    "channel": said["channel"],
                    "locale": said["locale"],
                    "product": {
                        "sku": product.sku if product else None,
                        "name": said["name"] or "",
                        "category": said["category"] or "",
                        "facts": _lines(said["facts"]),
                    },
                    "audience": said["audience"] or None,
                    "key_message": said["message"] or "",
                    "offer": _optional(said["offer"]),
                    "occasion": _optional(said["occasion"]),
                    "cta": _optional(said["cta"]),
                    "must_include": _lines(said["must_include"]),
                }
            )
        except ValidationError as exc:
            raise _complaint(exc) from exc

    def filled(self, brief: Brief, folder: BrandFolder) -> Values:
        """Updates that show a brief."""
        product = brief.product
        names = [p.name for p in folder.products]
        return {
            self.channel: brief.channel,
            self.locale: brief.locale,
            self.product: product.name if product.name in names else TYPED,
            self.name: product.name,
            self.category: product.category,
            self.facts: "\n".join(product.facts),
            self.message: brief.key_message,
            self.audience: brief.audience if brief.audience in _audience_ids(folder.guide) else TYPED,
            self.offer: brief.offer or "",
            self.occasion: brief.occasion or "",
            self.cta: brief.cta or "",
            self.must_include: "\n".join(brief.must_include),
        }

    def filled_product(self, name: str, folder: BrandFolder) -> Values:
        """Updates that show a product of the catalogue; a typed one starts empty."""
        product = next((p for p in folder.products if p.name == name), None)
        return {
            self.name: product.name if product else "",
            self.category: product.category if product else "",
            self.facts: "\n".join(product.facts) if product else "",
            self.must_include: product.name if product else "",
        }

    def emptied(self, folder: BrandFolder) -> Values:
        """Updates that offer another brand's choices and forget what was filled in."""
        guide = folder.guide
        texts = (self.name, self.category, self.facts, self.message, self.offer, self.occasion, self.cta)
        return {
            self.channel: gr.Dropdown(choices=_channels(guide), value=next(iter(guide.channels))),
            self.locale: gr.Dropdown(choices=list(guide.locales), value=guide.locales[0]),
            self.product: gr.Dropdown(choices=_products(folder), value=TYPED),
            self.audience: gr.Dropdown(choices=_audiences(guide), value=TYPED),
            self.must_include: "",
            **dict.fromkeys(texts, ""),
        }


def brand_choices(session: Session) -> list[tuple[str, str]]:
    """All brands by name."""
    return [(session.folder(id_).guide.name, id_) for id_ in session.brands]


def build_brief_form(session: Session) -> BriefForm:
    """Lay the form out for the session's first brand; every field's id is `brief-` and its name."""
    folder = session.folder(session.first_brand)
    guide = folder.guide
    with gr.Row():
        brand = _choice("brand", "Brand", brand_choices(session), guide.id)
        channel = _choice("channel", "Channel", _channels(guide), next(iter(guide.channels)))
    product = _choice("product", "Product from the catalogue", _products(folder), TYPED)
    with gr.Row():
        name = _line("name", "Product name")
        category = _line("category", "Category")
    facts = gr.Textbox(label="Facts, one a line", lines=3, max_lines=8, elem_id="brief-facts")
    message = gr.Textbox(
        label="Message", lines=1, max_lines=4, placeholder="The one thing the copy must say", elem_id="brief-message"
    )
    with gr.Row():
        audience = _choice("audience", "Audience", _audiences(guide), TYPED)
        locale = _choice("locale", "Language", [(locale, locale) for locale in guide.locales], guide.locales[0])
    with gr.Row():
        offer = _line("offer", "Offer")
        occasion = _line("occasion", "Occasion")
    with gr.Row():
        cta = _line("cta", "Call to action")
        must_include = _line("must_include", "Must include, one a line", max_lines=4)
    return BriefForm(
        brand=brand,
        channel=channel,
        locale=locale,
        product=product,
        name=name,
        category=category,
        facts=facts,
        message=message,
        audience=audience,
        offer=offer,
        occasion=occasion,
        cta=cta,
        must_include=must_include,
    )


def _choice(name: str, label: str, choices: list[tuple[str, str]], value: str) -> gr.Dropdown:
    return gr.Dropdown(choices, value=value, label=label, min_width=120, elem_id=f"brief-{name}")


def _line(name: str, label: str, max_lines: int = 1) -> gr.Textbox:
    return gr.Textbox(label=label, lines=1, max_lines=max_lines, min_width=120, elem_id=f"brief-{name}")


def _channels(guide: Brand) -> list[tuple[str, str]]:
    return [(spoken(name), name) for name in guide.channels]


def _products(folder: BrandFolder) -> list[tuple[str, str]]:
    return [("Another product, typed below", TYPED), *((p.name, p.name) for p in folder.products)]


def _audience_ids(guide: Brand) -> tuple[str, ...]:
    return tuple(audience.id for audience in guide.audience)


def _audiences(guide: Brand) -> list[tuple[str, str]]:
    return [("Anybody", TYPED), *((spoken(id_), id_) for id_ in _audience_ids(guide))]


def _lines(text: str | None) -> tuple[str, ...]:
    return tuple(line.strip() for line in (text or "").splitlines() if line.strip())


def _optional(text: str | None) -> str | None:
    return (text or "").strip() or None


def _complaint(exc: ValidationError) -> InputError:
    complaints: dict[str, str] = {}
    for error in exc.errors():
        where = ".".join(str(part) for part in error["loc"] if isinstance(part, str))
        complaints.setdefault(LABELS.get(where, where), COMPLAINTS.get(error["type"], error["msg"]))
    labels = ", ".join(complaints)
    message = ", ".join(f"{label} {complaint}" for label, complaint in complaints.items())
    return InputError(message, remedy=f"correct the field{'s' if len(complaints) > 1 else ''} {labels}")
