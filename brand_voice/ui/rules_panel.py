"""Rules that edits suggest, below the review queue: each with its sentence, an example, and two buttons.

A card keeps the id of the suggestion it shows, so that a button acts on what somebody read, whatever was edited, added
or dismissed meanwhile. Texts stand in text boxes alone.
"""

from collections.abc import Callable
from typing import NamedTuple

import gradio as gr

from brand_voice.errors import BrandVoiceError, InputError
from brand_voice.rules import dismiss
from brand_voice.suggest import MIN_DRAFTS, Suggestion
from brand_voice.ui.access import name_of
from brand_voice.ui.brief_form import Values
from brand_voice.ui.copy_view import told
from brand_voice.ui.events import quick
from brand_voice.ui.parts import quiet
from brand_voice.ui.session import Session

SHOWN = 5
TITLE = "Rules your edits suggest"
NONE = f"None. The same edit in {MIN_DRAFTS} drafts suggests one."


class Card(NamedTuple):
    """One suggestion's components."""

    said: gr.Textbox
    example: gr.Textbox
    add: gr.Button
    dismiss: gr.Button
    id: gr.State
    """Of the suggestion it shows."""

    def shown(self, suggestion: Suggestion | None) -> Values:
        """Updates that show a suggestion, or nothing."""
        if suggestion is None:
            return {self.said: "", self.example: "", self.id: ""}
        before, after = suggestion.examples[0]
        example = f"Before: {before}\nAfter: {after}"
        return {self.said: suggestion.said(), self.example: example, self.id: suggestion.id}


def build_rules_panel(session: Session, tab_item: gr.Tab, brand: gr.Dropdown, reviewer: gr.Textbox) -> None:
    """Lay the panel out and wire it; it shows the brand chosen for review and opens closed."""
    with gr.Accordion(TITLE, open=False, elem_id="rules", elem_classes="bv-card") as accordion:
        notice = quiet("Notice", elem_id="rules-notice", notice=True)
        cards = [_build_card(number) for number in range(1, SHOWN + 1)]
    panel = _Panel(session, accordion, notice, cards, brand, reviewer)
    changes = {accordion, notice}.union(*({card.said, card.example, card.id} for card in cards))
    options = quick(cards[0].id)
    reviewer_may, admin_may = session.access.needs("reviewer"), session.access.needs("admin")
    tab_item.select(reviewer_may(panel.show), {brand}, changes, api_name="rules_show", **options)
    brand.change(reviewer_may(panel.show), {brand}, changes, api_name="rules_brand", **options)
    accordion.expand(reviewer_may(panel.show), {brand}, changes, api_name="rules_open", **options)
    for number, card in enumerate(cards, start=1):
        at = {brand, reviewer, card.id}
        add, drop = admin_may(panel.act(card, panel.added)), admin_may(panel.act(card, panel.dismissed))
        card.add.click(add, at, changes, api_name=f"rules_add_{number}")
        card.dismiss.click(drop, at, changes, api_name=f"rules_dismiss_{number}", **options)


class _Panel:
    """The panel's handlers."""

    def __init__(
        self,
        session: Session,
        accordion: gr.Accordion,
        notice: gr.Textbox,
        cards: list[Card],
        brand: gr.Dropdown,
        reviewer: gr.Textbox,
    ) -> None:
        self._session = session
        self._accordion = accordion
        self._notice = notice
        self._cards = cards
        self._brand = brand
        self._reviewer = reviewer

    def show(self, values: Values) -> Values:
        """What the brand's edits suggest now."""
        try:
            suggestions = self._session.suggestions(values[self._brand])
        except BrandVoiceError as error:
            return {self._notice: told(error)}
        rows: list[Suggestion | None] = [*suggestions[:SHOWN], *[None] * SHOWN]
        shown: Values = {self._accordion: gr.Accordion(label=f"{TITLE} ({len(suggestions)})")}
        for card, suggestion in zip(self._cards, rows, strict=False):
            shown |= card.shown(suggestion)
        return shown | {self._notice: "" if suggestions else NONE}

    def act(self, card: Card, do: Callable[[Suggestion, str], str]) -> Callable[[Values, gr.Request], Values]:
        """A handler that does something with the suggestion on a card and says what it did."""

        def acted(values: Values, request: gr.Request) -> Values:
            try:
                said = do(self._suggestion(values, card), name_of(request, values[self._reviewer]))
            except BrandVoiceError as error:
                return {self._notice: told(error)}
            return self.show(values) | {self._notice: said}

        return acted

    def added(self, suggestion: Suggestion, _by: str) -> str:
        """Add it to the guide; say what it finds."""
        done = self._session.add_rule(suggestion)
        return (
            f"Added to the guide of {done.brand.guide.name}, now version {done.brand.guide.version}. "
            f"{done.found} of {done.waiting} waiting drafts now have a finding of it."
        )

    def dismissed(self, suggestion: Suggestion, by: str) -> str:
        """Never suggest it again."""
        dismiss(self._session.store, suggestion, by=by)
        return "Dismissed; it is not suggested again."

    def _suggestion(self, values: Values, card: Card) -> Suggestion:
        found = (s for s in self._session.suggestions(values[self._brand]) if s.id == values[card.id])
        suggestion = next(found, None)
        if suggestion is None:
            raise InputError(
                "This is suggested no longer: it was added, dismissed, or its edits changed",
                remedy="close and open the list",
            )
        return suggestion


def _build_card(number: int) -> Card:
    with gr.Column(elem_classes=["bv-rule", "bv-beside"]):
        said = quiet(f"Suggestion {number}", elem_id=f"rules-said-{number}")
        example = quiet(f"Example {number}", elem_id=f"rules-example-{number}", subdued=True)
        with gr.Row(elem_classes="bv-text"):
            add = gr.Button("Add rule", size="sm", elem_id=f"rules-add-{number}", min_width=110)
            drop = gr.Button("Not a rule", size="sm", elem_id=f"rules-dismiss-{number}", min_width=110)
    return Card(said=said, example=example, add=add, dismiss=drop, id=gr.State(""))
