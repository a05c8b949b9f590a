"""One writer's figures on the golden briefs: what its texts pass, how alike they are, what they cost.

A text passes a check without a `block` or `warn` finding on it and all checks without a `block`; a failed draft passes
nothing of what applies to its brief. Everything is a count of texts that the question applies to. Rules see numbers,
names, offers and words: a detail invented in words they do not see.

Diversity and over-used phrases are taken from texts with names, numbers and offers masked, diversity from one text a
brief: with more of them a writer would look less various for having been asked more often.
"""

import math
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from rapidfuzz import fuzz, process

from brand_voice.evidence import Basis, Cost, Diversity, Latency, Phrase, Role, SideFigures
from brand_voice.rates import Rate
from brand_voice.records import Brief, Draft, Example, Screening, Split
from brand_voice.screen.similar import masked, nearest
from brand_voice.screen.text import WORD, fold

COPIED_THRESHOLD = 0.85
"""Similarity to a training text, names, numbers and offer masked, from which a text counts as copied."""
FACTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "name and must-haves": ("must_have", ("must_have.missing",)),
    "offer": ("offer", ("offer.missing",)),
    "numbers and prices": (
        "truth",
        ("truth.number", "truth.price", "truth.percent", "truth.time", "truth.approximate"),
    ),
    "dates": ("truth", ("truth.date", "truth.deadline")),
    "codes": ("truth", ("truth.code",)),
    "other products' names": ("truth", ("truth.product",)),
    "offers of its own": ("truth", ("truth.offer",)),
}
"""A row of the facts table: the check that says whether it applies, and how the rules begin whose findings spoil it."""
PHRASES = (2, 3, 4)
"""Words of an over-used phrase."""
OVERUSED = 10
"""Phrases a report shows."""
MIN_BRIEFS = 3
"""Briefs for which a phrase must have been written."""
RATIO = 3.0
"""How many times as often as approved copy has it."""
KEYNESS = 15.13
"""Log-likelihood of a difference in frequency with p < 0.0001 (P. Rayson, R. Garside 2000, "Comparing Corpora using
Frequency Profiling")."""
_STRETCH = re.compile(r"[^\w\s'-]|\d")
"""What ends a stretch of words: punctuation, and the marks that stand for names, offers and numbers."""


class Scored(NamedTuple):
    """A draft for a golden brief and what is known of it."""

    brief: Brief
    split: Split
    draft: Draft
    screening: Screening | None
    """None for a draft that failed."""
    is_own_voice: bool | None = None
    """Whether the judge gives it to its brand; None where it was not judged."""
    seconds: float | None = None
    """Its share of the wall time of asking many at once, where that was measured."""
    is_alone: bool = False
    """Whether it was asked for alone."""

    @property
    def passes_all(self) -> bool:
        """Whether there is a text without a blocking finding."""
        return self.screening is not None and not self.screening.blocks

    @property
    def blocked_for(self) -> tuple[str, ...]:
        """What its blocking findings say."""
        return tuple(finding.message for finding in self.screening.blocks) if self.screening else ()

    def passes(self, check: str) -> bool:
        """Whether there is a text without a finding of this check that is more than advice."""
        return self.screening is not None and check not in _spoiled(self.screening)


class Side(NamedTuple):
    """One writer and its texts."""

    name: str
    role: Role
    texts: Sequence[Scored]
    usd_per_hour: float | None = None
    """Price of the machine that a student runs on."""


class Approved(NamedTuple):
    """Approved copy, prepared to be compared with."""

    masked: list[str]
    phrases: Counter[tuple[str, ...]]
    words: int

    @classmethod
    def of(cls, examples: Sequence[Example]) -> "Approved":
        """From training pairs."""
        texts = [masked(e.text, e.brief) for e in examples]
        phrases = Counter(p for t, e in zip(texts, examples, strict=True) for p in _own_phrases(t, e.brief))
        return cls(texts, phrases, sum(len(_words(text)) for text in texts))


def figures(side: Side, approved: Approved, applying: Mapping[str, frozenset[str]]) -> SideFigures:
    """Count what a side's texts do; `applying` has the checks that apply to a brief, by its hash."""
    ended = [scored for scored in side.texts if scored.screening is not None]
    judged = [scored.is_own_voice for scored in side.texts if scored.is_own_voice is not None]
    near = [nearest(masked(s.draft.text, s.brief), approved.masked) for s in ended]
    return SideFigures(
        name=side.name,
        role=side.role,
        briefs=len({scored.brief.hash for scored in side.texts}),
        texts=len(side.texts),
        failed=dict(Counter(s.draft.failure for s in side.texts if s.draft.failure)),
        all_pass=rate(scored.passes_all for scored in side.texts),
        checks=_checks(side.texts, applying),
        facts={name: _fact(side.texts, check, rules, applying) for name, (check, rules) in FACTS.items()},
        style=_style(ended),
        voice=rate(judged) if judged else None,
        overused=_overused(ended, approved),
        diversity=_diversity(ended),
        copied=rate(found is not None and found[1] >= COPIED_THRESHOLD for found in near),
        completion_tokens=sum(scored.draft.usage.completion_tokens for scored in side.texts),
        latency=_latency(s.draft for s in side.texts if _is_of_many(s)),
        cost=_cost(side),
        texts_per_s=_texts_per_s(side),
        latency_alone=_latency(s.draft for s in side.texts if s.is_alone or s.draft.is_recorded),
    )


def rate(found: Iterable[bool]) -> Rate:
    """How many are true of how many."""
    values = list(found)
    return Rate(hits=sum(values), of=len(values))


def firsts(texts: Iterable[Scored]) -> dict[str, Scored]:
    """The first finished text of each brief, by the brief's hash."""
    found: dict[str, Scored] = {}
    for scored in sorted(texts, key=lambda s: s.draft.candidate):
        if scored.screening is not None:
            found.setdefault(scored.brief.hash, scored)
    return found


def likeness(texts: Sequence[Scored]) -> list[float]:
    """For each text its similarity to the most similar one of the others, 0 to 1; masked."""
    if len(texts) < 2:
        return [0.0] * len(texts)
    corpus = [masked(scored.draft.text, scored.brief) for scored in texts]
    alike = process.cdist(corpus, corpus, scorer=fuzz.ratio, dtype=np.float32) / 100  # (texts, texts)
    np.fill_diagonal(alike, 0)
    return [float(x) for x in alike.max(axis=1)]


def _spoiled(screening: Screening) -> set[str]:
    return {finding.check for finding in screening.findings if finding.severity != "suggest"}


def applying_checks(texts: Iterable[Scored]) -> dict[str, frozenset[str]]:
    """The checks that apply to a brief, by its hash, as anybody's texts for it show them."""
    found: dict[str, set[str]] = defaultdict(set)
    for scored in texts:
        found[scored.brief.hash].update(scored.screening.checks if scored.screening else ())
    return {key: frozenset(checks) for key, checks in found.items()}


def _concerned(texts: Sequence[Scored], check: str, applying: Mapping[str, frozenset[str]]) -> list[Scored]:
    """The texts that a check applies to; a failed draft counts where it would have applied."""
    return [s for s in texts if check in (s.screening.checks if s.screening else applying.get(s.brief.hash, ()))]


def _checks(texts: Sequence[Scored], applying: Mapping[str, frozenset[str]]) -> dict[str, Rate]:
    names = sorted(frozenset[str]().union(*applying.values()))
    found = {name: _concerned(texts, name, applying) for name in names}
    return {name: rate(s.passes(name) for s in concerned) for name, concerned in found.items() if concerned}


def _fact(texts: Sequence[Scored], check: str, rules: tuple[str, ...], applying: Mapping[str, frozenset[str]]) -> Rate:
    def is_spoiled(screening: Screening) -> bool:
        return any(f.rule.startswith(rules) for f in screening.findings if f.severity != "suggest")

    concerned = _concerned(texts, check, applying)
    return rate(s.screening is not None and not is_spoiled(s.screening) for s in concerned)


def _style(ended: Sequence[Scored]) -> dict[str, float]:
    found = Counter(
        finding.rule
        for scored in ended
        for finding in (scored.screening.findings if scored.screening else ())
        if finding.check in ("lexicon", "style")
    )
    return {rule: round(100 * number / len(ended), 2) for rule, number in found.most_common()}


def _words(text: str) -> list[str]:
    return [str(word) for word in WORD.findall(text)]


def _own_phrases(masked_text: str, brief: Brief) -> Iterator[tuple[str, ...]]:
    """A text's phrases that its brief does not dictate; none goes across punctuation or what is masked."""
    said = f" {' '.join(_words(fold(brief.said())))} "
    for stretch in _STRETCH.split(masked_text):
        words = _words(stretch)
        for size in PHRASES:
            for start in range(len(words) - size + 1):
                phrase = tuple(words[start : start + size])
                if f" {' '.join(phrase)} " not in said:
                    yield phrase


def _overused(ended: Sequence[Scored], approved: Approved) -> tuple[Phrase, ...]:
    """The phrases that tell this writer from approved copy most, the longer one where one holds the other."""
    counts: Counter[tuple[str, ...]] = Counter()
    briefs: dict[tuple[str, ...], set[str]] = defaultdict(set)
    total = 0
    for scored in ended:
        text = masked(scored.draft.text, scored.brief)
        total += len(_words(text))
        for phrase in _own_phrases(text, scored.brief):
            counts[phrase] += 1
            briefs[phrase].add(scored.brief.hash)
    found = []
    for phrase, count in counts.items():
        known = approved.phrases[phrase]
        if len(briefs[phrase]) < MIN_BRIEFS or count * approved.words < RATIO * max(known, 0.5) * total:
            continue
        weight = _keyness(count, total, known, approved.words)
        if weight >= KEYNESS:
            found.append((weight, phrase, count, known))
    chosen: list[Phrase] = []
    for _, phrase, count, known in sorted(found, key=lambda each: (-len(each[1]), -each[0])):
        told = " ".join(phrase)
        if not any(f" {told} " in f" {longer.words} " and count <= 1.5 * longer.count for longer in chosen):
            per_thousand, usual = 1_000 * count / total, 1_000 * known / max(approved.words, 1)
            chosen.append(
                Phrase(
                    words=told,
                    count=count,
                    per_thousand=round(per_thousand, 3),
                    approved_per_thousand=round(usual, 3),
                )
            )
    chosen.sort(key=lambda phrase: (-phrase.count * len(phrase.words.split()), phrase.words))
    return tuple(chosen[:OVERUSED])


def _keyness(count: int, total: int, known: int, known_total: int) -> float:
    """Log-likelihood ratio of a phrase's frequency in two corpora (T. Dunning 1993)."""
    if not known_total:
        return math.inf
    share = (count + known) / (total + known_total)
    told = ((count, total * share), (known, known_total * share))
    return 2 * sum(seen * math.log(seen / expected) for seen, expected in told if seen)


def _diversity(ended: Sequence[Scored]) -> Diversity:
    pool = list(firsts(ended).values())
    words = [_words(masked(scored.draft.text, scored.brief)) for scored in pool]

    def distinct(size: int) -> float:
        grams = [tuple(w[i : i + size]) for w in words for i in range(len(w) - size + 1)]
        return round(len(set(grams)) / len(grams), 4) if grams else 0.0

    alike = likeness(pool)
    return Diversity(
        distinct_1=distinct(1),
        distinct_2=distinct(2),
        distinct_3=distinct(3),
        self_similarity=round(statistics.fmean(alike), 4) if alike else 0.0,
    )


def _is_of_many(scored: Scored) -> bool:
    """Whether it was written in a batch: a teacher's are, a student's that was there before may be from anywhere."""
    return scored.seconds is not None or scored.draft.author == "teacher" or scored.draft.is_recorded


def _latency(found: Iterable[Draft]) -> Latency:
    drafts = list(found)
    if any(draft.is_recorded for draft in drafts):
        return Latency(p50_ms=None, p95_ms=None, basis="recorded", note="replayed, not measured")
    known = [draft.latency_ms for draft in drafts if draft.latency_ms is not None]
    if not known:
        return Latency(p50_ms=None, p95_ms=None, basis="not measured", note="nobody was asked")
    p50, p95 = percentile(known, 0.5), percentile(known, 0.95)
    return Latency(p50_ms=round(p50, 1), p95_ms=round(p95, 1), basis="measured")


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest-rank percentile."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _texts_per_s(side: Side) -> float | None:
    timed = [scored.seconds for scored in side.texts if scored.seconds is not None]
    return round(len(timed) / sum(timed), 3) if sum(timed) else None


def _cost(side: Side) -> Cost:
    """A teacher's tokens at their price, a student's seconds at the machine's."""
    listed = [scored.draft.cost_usd for scored in side.texts if scored.draft.cost_usd is not None]
    if listed:
        is_recorded = any(scored.draft.is_recorded for scored in side.texts)
        return _priced(side, sum(listed) / len(listed), "recorded" if is_recorded else "listed", "tokens x list price")
    per_s = _texts_per_s(side)
    if per_s is not None and side.usd_per_hour is not None:
        return _priced(side, side.usd_per_hour / 3_600 / per_s, "measured", "seconds x machine_usd_per_hour")
    note = "no price known" if per_s is None else "machine_usd_per_hour not set"
    return Cost(usd_per_thousand=None, usd_per_thousand_accepted=None, basis="not measured", note=note)


def _priced(side: Side, usd: float, basis: Basis, note: str) -> Cost:
    """What 1,000 texts cost at so much each, and 1,000 that nothing forbids to publish."""
    passed = sum(scored.passes_all for scored in side.texts)
    return Cost(
        usd_per_thousand=round(1_000 * usd, 4),
        usd_per_thousand_accepted=round(1_000 * usd * len(side.texts) / passed, 4) if passed else None,
        basis=basis,
        note=note,
    )
