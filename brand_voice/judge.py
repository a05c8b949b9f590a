"""A language model as a judge of two texts: every pair is asked about in both orders, and an answer that changes with
the order is a tie.

A judge is believed only as far as it agrees with people: on the pairs that people voted on, Cohen's kappa says how much
more often than chance would. Below `MIN_KAPPA`, or on fewer than `MIN_SHARED` such pairs, its figures are shown and may
decide nothing. This module asks nobody: it words the questions, reads the answers and counts.

Source: L. Zheng et al. 2023, "Judging LLM-as-a-Judge" (position bias, swapping); J. Cohen 1960 (kappa).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from pydantic import StrictStr, ValidationError

from brand_voice.evidence import JudgeFigures
from brand_voice.guide import Brand
from brand_voice.prompts import judge_messages
from brand_voice.rates import Rate
from brand_voice.records import Ballot, Brief, Draft, Message, Record, Sampling, content_hash

MIN_KAPPA = 0.4
"""Agreement from which a judge may decide: above it Landis and Koch (1977) speak of moderate agreement."""
MIN_SHARED = 50
"""Pairs judged by people too under which kappa says too little; its standard error is about 0.1 there."""
SAMPLING = Sampling(temperature=0, top_p=1, max_new_tokens=600)
"""Room for a sentence, and for a model that thinks first."""
Outcome = Literal["candidate", "reference", "tie"]


class Duel(NamedTuple):
    """Two texts for one brief."""

    brief: Brief
    candidate: Draft
    reference: Draft

    @property
    def ids(self) -> tuple[str, str]:
        """Ids of the two drafts, the candidate's first."""
        return self.candidate.id, self.reference.id


class Question(NamedTuple):
    """A duel in one order."""

    id: str
    """Hash of model and prompt: the same question has the same id and need not be paid for twice."""
    brief: Brief
    messages: tuple[Message, ...]
    is_swapped: bool
    """Whether the reference stands first."""


class Ruling(NamedTuple):
    """What both orders together say of a duel."""

    outcome: Outcome
    is_flip: bool
    """Whether the answer changed with the order."""


class Answer(Record):
    """What a judge must answer; anything else is no answer."""

    why: StrictStr
    better: Literal["first", "second", "equal"]


def questions(duel: Duel, guide: Brand, model: str) -> tuple[Question, Question]:
    """A duel in both orders.

    Raises:
        InputError: the brand has no such channel.
    """
    texts = (duel.candidate.text, duel.reference.text)
    straight = judge_messages(guide, duel.brief, *texts)
    swapped = judge_messages(guide, duel.brief, *reversed(texts))
    return _question(duel, straight, model, is_swapped=False), _question(duel, swapped, model, is_swapped=True)


def ruling(straight: str | None, swapped: str | None) -> Ruling | None:
    """Put the answers to both orders together; None where one is missing or cannot be read."""
    first, second = _better(straight), _better(swapped)
    if first is None or second is None:
        return None
    named: dict[str, Outcome] = {"first": "candidate", "second": "reference", "equal": "tie"}
    turned: dict[str, Outcome] = {"first": "reference", "second": "candidate", "equal": "tie"}
    is_flip = named[first] != turned[second]
    return Ruling("tie" if is_flip else named[first], is_flip)


def people(ballots: Iterable[Ballot]) -> dict[frozenset[str], str | None]:
    """What most voters said of each pair of drafts: the id of the better one, or None for a tie, by both ids."""
    cast: dict[frozenset[str], Counter[str | None]] = defaultdict(Counter)
    for vote in (ballot.vote for ballot in ballots):
        chosen = {"left": vote.left, "right": vote.right}.get(vote.choice)
        cast[frozenset((vote.left, vote.right))][chosen] += 1
    return {pair: _majority(said) for pair, said in cast.items()}


def judge_figures(
    model: str, duels: Sequence[Duel], rulings: Mapping[tuple[str, str], Ruling], ballots: Iterable[Ballot]
) -> JudgeFigures:
    """Count a judge's rulings, given by the drafts' ids, and hold them against people's votes."""
    ruled = [rulings[duel.ids] for duel in duels if duel.ids in rulings]
    counts = Counter(each.outcome for each in ruled)
    voted = people(ballots)
    shared = [duel for duel in duels if duel.ids in rulings and frozenset(duel.ids) in voted]
    said = [(rulings[duel.ids].outcome, _outcome(duel, voted[frozenset(duel.ids)])) for duel in shared]
    agreement = kappa(said)
    return JudgeFigures(
        model=model,
        wins=Rate(hits=counts["candidate"], of=counts["candidate"] + counts["reference"]),
        ties=counts["tie"],
        flips=sum(each.is_flip for each in ruled),
        with_people=Rate(hits=sum(a == b for a, b in said), of=len(said)),
        kappa=agreement,
        may_gate=agreement is not None and agreement >= MIN_KAPPA and len(said) >= MIN_SHARED,
        unread=len(duels) - len(ruled),
    )


def kappa(said: Sequence[tuple[str, str]]) -> float | None:
    """Cohen's kappa of two raters; None without pairs, or where both said one and the same thing of all of them."""
    if not said:
        return None
    total = len(said)
    agreed = sum(a == b for a, b in said) / total
    ones, others = Counter(a for a, _ in said), Counter(b for _, b in said)
    by_chance = sum(ones[label] * others[label] for label in ones) / total**2
    return None if by_chance == 1 else (agreed - by_chance) / (1 - by_chance)


def _question(duel: Duel, messages: tuple[Message, ...], model: str, *, is_swapped: bool) -> Question:
    asked = ["judge", model, [m.model_dump() for m in messages], SAMPLING.model_dump()]
    return Question(content_hash(asked), duel.brief, messages, is_swapped)


def _better(answer: str | None) -> str | None:
    """What an answer names: one JSON object, alone or in a fence of its own, with exactly the fields asked for."""
    if answer is None:
        return None
    text = answer.strip()
    if text.startswith("```") and text.endswith("```"):
        text = text.removeprefix("```").removeprefix("json").removesuffix("```")
    try:
        return Answer.model_validate_json(text).better
    except ValidationError:
        return None


def _majority(said: Counter[str | None]) -> str | None:
    """What was said most often; a tie where two things were."""
    (top, votes), *rest = said.most_common(2)
    return None if rest and rest[0][1] == votes else top


def _outcome(duel: Duel, better: str | None) -> Outcome:
    if better is None:
        return "tie"
    return "candidate" if better == duel.candidate.id else "reference"
