"""What gives a held-out brief away to training: one answer for whoever freezes, and for whoever checks what was frozen.

A training pair leaks when its brief is held out itself; when it asks, all but a few letters, for what a held-out brief
of the same product and channel asks, offers and figures masked; or when its text is a near-duplicate of one that was
approved for a held-out brief. What the student wrote for a held-out brief is no evidence: it recites what it was
trained on. Every pair is compared, none is sampled: what a snapshot was cleared of no later check may find.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from brand_voice.records import Approved, Brief, Example
from brand_voice.screen.similar import all_near, masked

LEAKAGE_THRESHOLD = 0.85
"""Similarity of masked texts from which two are near-duplicates."""


class Leak(NamedTuple):
    """A training pair that gives a held-out brief away."""

    pair: int
    """Its index."""
    said: str
    """Which brief, and how."""


def leaks(train: Sequence[Example], held_out: Iterable[Brief], approved: Iterable[Approved]) -> Iterator[Leak]:
    """Find what must not be trained on by whoever is asked for `held_out`; a pair may come more than once.

    Texts among `approved` for other briefs do not count.
    """
    asked = {brief.hash: brief for brief in held_out}
    rest = []
    for index, example in enumerate(train):
        if example.brief.hash in asked:
            yield Leak(index, f"{asked[example.brief.hash].id} was trained on")
        else:
            rest.append(index)
    yield from _similar_briefs(train, rest, asked)
    texts = [masked(train[index].text, train[index].brief) for index in rest]
    for draft, brief, review in approved:
        if brief.hash not in asked or draft.author == "student" or not review.final_text:
            continue
        for place, alike in all_near(masked(review.final_text, brief), texts, LEAKAGE_THRESHOLD):
            twin = train[rest[place]].brief.id
            told = f"{brief.id}: a training text ({twin}) is {alike:.0%} like one approved for it ({draft.id})"
            yield Leak(rest[place], told)


def _similar_briefs(train: Sequence[Example], rest: Sequence[int], asked: dict[str, Brief]) -> Iterator[Leak]:
    known: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for index in rest:
        known[_place(train[index].brief)].append(index)
    for brief in asked.values():
        twins = known.get(_place(brief), [])
        wishes = [_wish(train[index].brief) for index in twins]
        for place, alike in all_near(_wish(brief), wishes, LEAKAGE_THRESHOLD):
            twin = train[twins[place]].brief.id
            yield Leak(twins[place], f"{brief.id} is {alike:.0%} like the training brief {twin}")


def _place(brief: Brief) -> tuple[str, ...]:
    return brief.channel, brief.locale, brief.product.name.lower()


def _wish(brief: Brief) -> str:
    """What a brief wants said; a product's facts, which all its briefs share, are left out."""
    said = (brief.key_message, brief.offer, brief.occasion, brief.audience)
    return masked("\n".join(filter(None, said)), brief)
