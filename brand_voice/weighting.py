"""How much an approved pair counts: newer ones more, and the student's own texts no more than a share.

A voice moves on, so that an approval counts half after a half-life. Its age is taken in whole days from the newest
approval, not from today: the same approvals always make the same snapshot. A weight never falls under a quarter, or a
handful of new texts after a long pause would displace everything that was approved before.

A student that learns from its own texts forgets what is rare in the others (I. Shumailov et al. 2024, "AI models
collapse when trained on recursively generated data"), hence the share. A text that a person edited is not counted as
the student's.
"""

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from brand_voice.records import Approved, Example

MIN_WEIGHT = 0.25


def is_by_student(item: Approved) -> bool:
    """Whether the student wrote this text and nobody changed it."""
    return item.draft.author == "student" and item.review.verdict == "approve"


def surplus(approved: Iterable[Approved], share: float) -> frozenset[str]:
    """Drafts of the student beyond its share of these texts, the oldest approvals first; ids."""
    known = list(approved)
    own = sorted((a for a in known if is_by_student(a)), key=lambda a: (a.review.created_at, a.draft.id))
    if share >= 1:
        return frozenset()
    allowed = math.floor(share * (len(known) - len(own)) / (1 - share))
    return frozenset(a.draft.id for a in own[: max(0, len(own) - allowed)])


def weights(approved: Iterable[Approved], half_life_days: float) -> dict[str, float]:
    """Weight by draft id: 1 for the newest day, half after a half-life, never under a quarter; all 1 without one."""
    given = {a.draft.id: datetime.fromisoformat(a.review.created_at) for a in approved}
    if not half_life_days:
        return dict.fromkeys(given, 1.0)
    newest = max(given.values(), default=None)
    return {
        draft_id: max(MIN_WEIGHT, round(0.5 ** ((newest - moment).days / half_life_days), 3))
        for draft_id, moment in given.items()
        if newest is not None
    }


def weighted(examples: Sequence[Example], by_draft: Mapping[str, float]) -> list[Example]:
    """The examples with the training pairs' weights put in."""
    return [
        e.model_copy(update={"weight": by_draft[e.draft_id]}) if e.split == "train" else e  # others are never drawn
        for e in examples
    ]


def is_even(examples: Iterable[Example]) -> bool:
    """Whether all count alike."""
    return all(e.weight == 1 for e in examples)


def drawn(examples: Sequence[Example], times: int, seed: int) -> list[Example]:
    """So many times as many pairs as there are, each as often as its weight says; where all count alike, in turn.

    Systematic sampling: a pair of twice the weight comes twice as often, give or take one, and the number of pairs
    does not depend on the weights.
    """
    if is_even(examples):
        return list(examples) * times
    step = sum(e.weight for e in examples) / (times * len(examples))
    at = random.Random(seed).random() * step
    reach = 0.0
    found = []
    for example in examples:
        reach += example.weight
        while at < reach:
            found.append(example)
            at += step
    return found
