"""Which briefs to label next: what the cascade gave to the teacher and what reviewers rejected, by what it would teach.

A brief comes back when the student's text for it was blocked, uncertain or failed (an escalation), or a reviewer
rejected a draft for it, and nothing is approved for it yet. Held-out briefs never come back: labelling them trains
nothing. The score is simple enough to be argued with:

    score = log2(1 + times) x (distance + weakness) / 2

`times`     escalations and rejections together: what is asked for often is worth more, but not in proportion
`distance`  1 less the likeness of the brief to the nearest approved training brief of its channel and locale
`weakness`  1 less the share of the live student's texts of the channel without a blocking finding, one good and one
            bad text assumed beforehand; of any student's where none is live. Texts for held-out briefs do not count:
            what an adapter is judged on must not steer what it learns

It does not know what a label costs, nor that two briefs near the top may teach the same thing.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from rapidfuzz import fuzz, process

from brand_voice import snapshot
from brand_voice.context import Context
from brand_voice.live import Escalation
from brand_voice.rates import Rate
from brand_voice.records import Brief, Draft, Reason, Record, Review, Screening
from brand_voice.screen.text import fold

REJECTED = "rejected"
"""Stands beside the cascade's own reasons."""


class NextBrief(Record):
    """A brief worth a label, and why."""

    brief: Brief
    score: float
    times: dict[str, int]
    """How often it came back, by cause: `blocked`, `uncertain`, `failed`, `rejected`."""
    reasons: tuple[Reason, ...]
    """What reviewers had against the rejected drafts."""
    distance: float
    """From the nearest approved training brief, 0 to 1."""
    nearest: str | None
    """That brief's id."""
    passed: Rate
    """The live student's texts of the channel without a blocking finding, held-out briefs left out."""


class Known(NamedTuple):
    """What a brand's store holds, as far as it matters here."""

    briefs: Mapping[str, Brief]
    """By content hash."""
    approved: Sequence[Brief]
    """Briefs with an approved text, held-out ones among them."""
    escalations: Sequence[Escalation]
    rejections: Sequence[tuple[Draft, Review]]
    passed: Mapping[str, Rate]
    """By channel."""


def next_briefs(context: Context) -> list[NextBrief]:
    """The briefs that came back and are still unlabelled, what teaches most first."""
    brand, store = context.brand, context.store
    drafts = {d.id: d for d in store.drafts(brand.guide.id)}
    briefs = store.briefs_by_hash(brand.guide.id)
    live = store.standing(brand.guide.id).live

    def trains(brief: Brief) -> bool:
        return snapshot.split_of(brief, is_unseen=brand.is_unseen(brief)) == "train"

    ours = (d for d in drafts.values() if d.author == "student" and live in (None, d.adapter))
    own = [d for d in ours if d.brief_hash in briefs and trains(briefs[d.brief_hash])]
    known = Known(
        briefs=briefs,
        approved=[a.brief for a in store.approved(brand.guide.id)],
        escalations=store.escalations(brand.guide.id),
        rejections=[
            (drafts[key], review)
            for key, review in store.current_reviews(brand.guide.id).items()
            if review.verdict == "reject" and key in drafts
        ],
        passed=_passed(own, store.screenings(brand.guide.id), briefs),
    )
    return rank(known, trains)


def rank(known: Known, trains: Callable[[Brief], bool]) -> list[NextBrief]:
    """Score what came back; `trains` says whether a brief may be trained on."""
    causes: dict[str, Counter[str]] = defaultdict(Counter)
    reasons: dict[str, dict[Reason, None]] = defaultdict(dict)
    for escalation in known.escalations:
        causes[escalation.brief_hash][escalation.why] += 1
    for draft, review in known.rejections:
        causes[draft.brief_hash][REJECTED] += 1
        reasons[draft.brief_hash] |= dict.fromkeys(review.reasons)
    labelled = {brief.hash for brief in known.approved}
    taught = _said_by_place(brief for brief in known.approved if trains(brief))
    found = []
    for key, times in causes.items():
        brief = known.briefs.get(key)
        if brief is None or key in labelled or not trains(brief):
            continue
        nearest, distance = _nearest(brief, taught.get(_place(brief), {}))
        passed = known.passed.get(brief.channel, Rate(hits=0, of=0))
        weakness = 1 - (passed.hits + 1) / (passed.of + 2)
        score = math.log2(1 + times.total()) * (distance + weakness) / 2
        found.append(
            NextBrief(
                brief=brief,
                score=round(score, 3),
                times=dict(sorted(times.items())),
                reasons=tuple(reasons[key]),
                distance=round(distance, 3),
                nearest=nearest,
                passed=passed,
            )
        )
    return sorted(found, key=lambda each: (-each.score, each.brief.id))


def _place(brief: Brief) -> tuple[str, str]:
    return brief.channel, brief.locale


def _said_by_place(briefs: Iterable[Brief]) -> dict[tuple[str, str], dict[str, str]]:
    """What the briefs say, by id, in each channel and locale."""
    found: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for brief in briefs:
        found[_place(brief)][brief.id] = fold(brief.said())
    return found


def _nearest(brief: Brief, taught: Mapping[str, str]) -> tuple[str | None, float]:
    """Id of the likest brief and the distance to it; 1 where there is none."""
    best = process.extractOne(fold(brief.said()), taught, scorer=fuzz.token_set_ratio)
    return (None, 1.0) if best is None else (best[2], 1 - best[1] / 100)


def _passed(
    drafts: Iterable[Draft], screenings: Mapping[tuple[str, int], Screening], briefs: Mapping[str, Brief]
) -> dict[str, Rate]:
    """The texts without a blocking finding, by channel."""
    hits: Counter[str] = Counter()
    of: Counter[str] = Counter()
    for draft in drafts:
        screening = screenings.get((draft.id, 0))
        if screening is not None:
            channel = briefs[draft.brief_hash].channel
            of[channel] += 1
            hits[channel] += not screening.blocks
    return {channel: Rate(hits=hits[channel], of=count) for channel, count in of.items()}
