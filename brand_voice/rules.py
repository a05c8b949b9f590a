"""Rules that edits suggest: listed, added to the brand's guide, or dismissed, on a workspace.

An added rule is a new version of the guide, so every draft is screened again; what was approved stays approved.
"""

from typing import NamedTuple

from brand_voice.amend import amended
from brand_voice.brand import BrandFolder
from brand_voice.context import Context
from brand_voice.errors import InputError
from brand_voice.loop import screen_drafts
from brand_voice.store.store import Store
from brand_voice.suggest import Suggestion, is_repeated, suggest


class Added(NamedTuple):
    """What adding a rule did."""

    brand: BrandFolder
    """The workspace's copy, with the rule."""
    waiting: int
    """Drafts that wait for a verdict."""
    found: int
    """Those of them that the new rule finds fault with."""


def suggested(context: Context) -> list[Suggestion]:
    """The rules that the current edits suggest and nobody dismissed, the most frequent edit first."""
    store, brand = context.store, context.brand_id
    if not is_repeated(store.approved(brand, verdict="edit")):
        return []  # approved copy, of which there is much more, need not be read
    return suggest(store.approved(brand), context.brand.guide, dismissed=store.dismissed(brand))


def add(context: Context, suggestion: Suggestion) -> Added:
    """Add a suggested rule to the workspace's guide and screen the brand's drafts under the new version.

    Who adds another rule meanwhile waits, so that the drafts' last screening is always the newest version's.

    Raises:
        InputError: the guide has the rule already.
        BrandError: the guide cannot be written, or not be edited in place.
    """
    store, brand = context.store, suggestion.brand
    with amended(brand, suggestion.rule, context.workspace.brands) as folder:
        screen_drafts(context._replace(brand=folder))
    decided, last = store.current_reviews(brand).keys(), store.screenings(brand)
    waiting = [last.get((draft.id, 0)) for draft in store.drafts(brand) if draft.id not in decided]
    found = sum(any(f.rule == suggestion.finding_rule for f in each.findings) for each in waiting if each)
    return Added(folder, len(waiting), found)


def dismiss(store: Store, suggestion: Suggestion, *, by: str) -> None:
    """Never suggest this again.

    Raises:
        InputError: whoever dismisses it has no name.
    """
    if not by.strip():
        raise InputError("a dismissal needs the name of who dismisses", remedy="give your name")
    store.dismiss(suggestion.brand, suggestion.edit, by=by.strip())
