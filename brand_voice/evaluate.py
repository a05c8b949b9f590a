"""From the texts of several writers for the golden briefs to a report: figures, differences, slices, the decision.

The candidate is held against the reference on the briefs that both were asked, each brief's texts averaged, so that a
brief counts once however many texts it got; intervals are clustered by brief (`resample`), the rule is `decision`'s. A
draft that failed passes nothing and sounds like nobody. Diversity is that of one text a brief: how far each lies from
the most similar text for another brief. Its interval takes those distances as given.

The voice judge learned from training copy and is told what language it knows; texts in another one it does not judge.
What cannot be told is left out of the report, never filled in.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from brand_voice.decision import decide, spoken_change
from brand_voice.evidence import (
    DESCRIPTIVE_BELOW,
    SPOKEN,
    Difference,
    GoldenPair,
    Latency,
    Measure,
    Report,
    Role,
    SideFigures,
    SliceFigure,
)
from brand_voice.figures import Approved, Scored, Side, applying_checks, figures, firsts, likeness, rate
from brand_voice.guide import Brand
from brand_voice.rates import Rate
from brand_voice.records import AdapterManifest, Example, now
from brand_voice.resample import Floats, interval
from brand_voice.settings import MarginSettings
from brand_voice.voice import Sample, VoiceJudge

PAIRS = 10
"""Pairs of texts that a report shows."""
BANDS = (60, 160)
"""Longest channel, in characters, of the first two length bands: a line, a message; the rest is longer."""
DECIDING: tuple[Role, Role] = ("candidate", "reference")


class Subject(NamedTuple):
    """What is evaluated, on what, against whom."""

    adapter: AdapterManifest
    guide: Brand
    golden: str
    decided_before: int
    against: str
    """`teacher`, `base`, `few_shot` or an adapter's name."""
    samples: int
    margins: MarginSettings


class Voice(NamedTuple):
    """Who hears which brand a text sounds like."""

    judge: VoiceJudge
    language: str
    """That of the copy it learned from, such as `en`."""


def evaluate(subject: Subject, sides: Sequence[Side], train: Sequence[Example], voice: Voice | None) -> Report:
    """Make a report of what these writers wrote.

    Args:
        subject: what the report is about.
        sides: a candidate, a reference, and whoever is shown beside them.
        train: what the candidate was trained on: approved copy to compare with, and to notice recital.
        voice: the judge of voice; none where no other brand's copy is at hand.
    """
    heard = [_heard(side, subject.guide.id, voice) for side in sides]
    candidate, reference = (next(side for side in heard if side.role == role) for role in DECIDING)
    approved = Approved.of(train)
    applying = applying_checks(scored for side in heard for scored in side.texts)
    differences = _differences(candidate, reference, subject.margins)
    slices = _slices(candidate, reference, subject.guide)
    decided = decide(reference.name, differences, slices, subject.margins.all_pass)
    return Report(
        brand=subject.guide.id,
        adapter=subject.adapter.name,
        against=subject.against,
        golden=subject.golden,
        decided_before=subject.decided_before,
        snapshot=subject.adapter.snapshot,
        guide_version=subject.guide.version,
        created_at=now(),
        samples=subject.samples,
        decision=decided.decision,
        sentence=decided.sentence,
        exceptions=decided.exceptions,
        differences=tuple(differences),
        sides=tuple(figures(side, approved, applying) for side in heard),
        slices=tuple(slices),
        voice_accuracy=round(voice.judge.cross_validated, 4) if voice else None,
        voice_recall=round(voice.judge.recall(subject.guide.id), 4) if voice else None,
        pairs=_pairs(candidate.texts, reference.texts),
    )


def _heard(side: Side, brand: str, voice: Voice | None) -> Side:
    """The side with what the judge says of each text in its language; of a failed draft it says no."""
    if voice is None:
        return side
    known = [scored for scored in side.texts if scored.brief.locale.startswith(f"{voice.language}-")]
    brands = voice.judge.brands_of([Sample(scored.draft.text, scored.brief) for scored in known])
    own = {
        (s.brief.hash, s.draft.id): s.screening is not None and b == brand for s, b in zip(known, brands, strict=True)
    }
    texts = [s._replace(is_own_voice=own.get((s.brief.hash, s.draft.id))) for s in side.texts]
    return side._replace(texts=texts)


def _differences(candidate: Side, reference: Side, margins: MarginSettings) -> list[Difference]:
    """The paired differences of the measures that both sides have."""
    shares: dict[Measure, Callable[[Scored], float | None]] = {
        "all_pass": lambda s: float(s.passes_all),
        "truth": lambda s: float(s.passes("truth")),
        "voice": lambda s: None if s.is_own_voice is None else float(s.is_own_voice),
    }
    pairs = {m: _paired(_by_brief(candidate, value), _by_brief(reference, value)) for m, value in shares.items()}
    pairs["diversity"] = _paired(*_variety(candidate, reference))
    found = []
    for measure, pair in pairs.items():
        if pair.briefs:
            change = pair.candidate - pair.reference
            # Shares of a brief can be a whole apart, even where none was; distances between texts never are.
            spread = interval(change, 1.0 if measure in shares else float(np.abs(change).max()))
            found.append(
                Difference(
                    measure=measure,
                    candidate=round(float(pair.candidate.mean()), 4),
                    reference=round(float(pair.reference.mean()), 4),
                    low=round(spread.low, 4),
                    high=round(spread.high, 4),
                    margin=getattr(margins, measure),
                    briefs=pair.briefs,
                )
            )
    return found


class _Paired(NamedTuple):
    """Both sides' means for the briefs they share, in one order."""

    candidate: Floats
    reference: Floats

    @property
    def briefs(self) -> int:
        """How many briefs."""
        return len(self.candidate)


def _by_brief(side: Side, value: Callable[[Scored], float | None]) -> dict[str, float]:
    """The mean of a brief's texts, by the brief's hash."""
    found: dict[str, list[float]] = defaultdict(list)
    for scored in side.texts:
        if (one := value(scored)) is not None:
            found[scored.brief.hash].append(one)
    return {key: sum(values) / len(values) for key, values in found.items()}


def _paired(candidate: Mapping[str, float], reference: Mapping[str, float]) -> _Paired:
    shared = sorted(candidate.keys() & reference.keys())
    return _Paired(np.array([candidate[key] for key in shared]), np.array([reference[key] for key in shared]))


def _variety(candidate: Side, reference: Side) -> tuple[dict[str, float], dict[str, float]]:
    """For both sides how unlike a brief's text is to the other texts, from as many texts for the same briefs."""
    own, other = firsts(candidate.texts), firsts(reference.texts)
    shared = sorted(own.keys() & other.keys())
    alike = [likeness([texts[key] for key in shared]) for texts in (own, other)]
    one, two = ({key: 1 - x for key, x in zip(shared, found, strict=True)} for found in alike)
    return one, two


def _slices(candidate: Side, reference: Side, guide: Brand) -> list[SliceFigure]:
    """Texts without a blocking finding, by what the briefs are like; only briefs that both were asked."""
    shared = {s.brief.hash for s in candidate.texts} & {s.brief.hash for s in reference.texts}
    own, other = ([s for s in side.texts if s.brief.hash in shared] for side in (candidate, reference))
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for scored in own:
        for place in _places(scored, guide):
            found[place].add(scored.brief.hash)
    figures_ = []
    for (dimension, value), briefs in sorted(found.items()):
        if briefs == shared:
            continue  # all of them are no slice
        texts = [[s for s in side if s.brief.hash in briefs] for side in (own, other)]
        figure = SliceFigure.model_validate(
            {
                "dimension": dimension,
                "value": value,
                "briefs": len(briefs),
                "candidate": rate(s.passes_all for s in texts[0]),
                "reference": rate(s.passes_all for s in texts[1]),
            }
        )
        figures_.append(figure if figure.is_descriptive else figure.model_copy(update=_ends(*texts)))
    return figures_


def _ends(candidate: Sequence[Scored], reference: Sequence[Scored]) -> dict[str, float]:
    sides = (Side("", role, texts) for role, texts in zip(DECIDING, (candidate, reference), strict=True))
    pair = _paired(*(_by_brief(side, lambda s: float(s.passes_all)) for side in sides))
    spread = interval(pair.candidate - pair.reference, 1.0)
    return {"low": round(spread.low, 4), "high": round(spread.high, 4)}


def _places(scored: Scored, guide: Brand) -> list[tuple[str, str]]:
    """The slices that a brief stands in: what the brief says decides, never a text."""
    brief = scored.brief
    places = [
        ("channel", brief.channel),
        ("locale", brief.locale),
        ("product", "unseen" if scored.split == "unseen_product" else "seen"),
        ("offer", "given" if brief.offer else "none"),
    ]
    channel = guide.channels.get(brief.channel)
    return [*places, ("length", _band(channel.max_chars))] if channel else places


def _band(max_chars: int) -> str:
    line, message = BANDS
    within = f"{line + 1} to {message}" if max_chars <= message else f"over {message}"
    return f"up to {line}" if max_chars <= line else within


def _pairs(candidate: Sequence[Scored], reference: Sequence[Scored]) -> tuple[GoldenPair, ...]:
    """First texts for the same briefs, spread evenly over the briefs in the order of their hashes."""
    own, other = firsts(candidate), firsts(reference)
    shared = sorted(own.keys() & other.keys())
    chosen = shared[:: max(1, len(shared) // PAIRS)][:PAIRS]
    return tuple(
        GoldenPair(
            brief=own[key].brief,
            split=own[key].split,
            candidate=own[key].draft.text,
            reference=other[key].draft.text,
            candidate_blocks=own[key].blocked_for,
        )
        for key in chosen
    )


def markdown(report: Report) -> str:
    """The report in short, for a terminal: the decision first."""
    sides = [s for role in (*DECIDING, "teacher", "echo") if (s := report.side(role)) is not None]
    head = ("", *(side.name for side in sides))
    lines = [
        f"# {report.sentence}",
        "",
        f"{report.brand}: adapter `{report.adapter}` against {report.against}, {report.samples} texts a brief, golden "
        f"set `{report.golden}`, guide {report.guide_version}, {report.created_at[:16]}.",
        "",
        *([f"- suffers: {each}" for each in report.exceptions] + [""] * bool(report.exceptions)),
        *_table(("difference", "points", "95% interval", "margin", "briefs"), map(_difference_row, report.differences)),
        "",
        *_table(head, _rows(sides, report.voice_recall)),
        "",
        *_table(("slice", "briefs", sides[0].name, sides[1].name), map(_slice_row, report.slices)),
        "",
        f"Slices under {DESCRIPTIVE_BELOW} briefs describe and decide nothing. The rules see numbers, names, offers",
        "and words; a detail invented in words they do not see: read the pairs.",
        "",
        *(line for pair in report.pairs for line in _pair_lines(pair)),
    ]
    return "\n".join(lines)


def _difference_row(each: Difference) -> tuple[str, ...]:
    ends = f"{100 * each.low:+.1f} to {100 * each.high:+.1f}"
    return SPOKEN[each.measure], spoken_change(each.change), ends, f"{100 * each.margin:.0f}", str(each.briefs)


def _slice_row(each: SliceFigure) -> tuple[str, ...]:
    return f"{each.dimension} {each.value}", str(each.briefs), str(each.candidate), str(each.reference)


def _rows(sides: Sequence[SideFigures], voice_recall: float | None) -> list[tuple[str, ...]]:
    none = Rate(hits=0, of=0)

    def rate(rates: Callable[[SideFigures], Mapping[str, Rate]], name: str) -> Callable[[SideFigures], Rate]:
        return lambda side: rates(side).get(name, none)

    def row(name: str, told: Callable[[SideFigures], object]) -> tuple[str, ...]:
        return (name, *(str(told(side)) for side in sides))

    recall = f" (of its approved copy {voice_recall:.0%} do)" if voice_recall is not None else ""
    return [
        row("**without a blocking finding**", lambda s: s.all_pass),
        *(row(name, rate(lambda s: s.facts, name)) for name in sides[0].facts),
        *(row(f"check {name}", rate(lambda s: s.checks, name)) for name in sides[0].checks),
        row(f"sounds like the brand{recall}", lambda s: s.voice or "not measured"),
        row("copied from training", lambda s: s.copied),
        row("distinct words, pairs, triples", _distinct),
        row("similarity from text to text", lambda s: f"{s.diversity.self_similarity:.2f}"),
        row("over-used", lambda s: ", ".join(phrase.words for phrase in s.overused[:3]) or "none"),
        row("latency p50, p95 of one request at a time", lambda s: _speed(s.latency_alone)),
        row("latency p50, p95 of many at once", lambda s: _speed(s.latency)),
        row("cost of 1,000 texts, of 1,000 accepted", _price),
        row("failed", lambda s: ", ".join(f"{n} {kind}" for kind, n in s.failed.items()) or "none"),
    ]


def _distinct(side: SideFigures) -> str:
    told = side.diversity
    return f"{told.distinct_1:.2f}, {told.distinct_2:.2f}, {told.distinct_3:.2f}"


def _speed(told: Latency | None) -> str:
    if told is None:
        return "not measured"
    if told.p50_ms is None or told.p95_ms is None:
        return told.note or told.basis
    return f"{told.p50_ms:,.0f} ms, {told.p95_ms:,.0f} ms ({told.basis})"


def _price(side: SideFigures) -> str:
    told = side.cost
    if told.usd_per_thousand is None:
        return told.note or told.basis
    accepted = f"${told.usd_per_thousand_accepted:,.2f}" if told.usd_per_thousand_accepted is not None else "none"
    return f"${told.usd_per_thousand:,.2f}, {accepted} ({told.basis}: {told.note})"


def _pair_lines(pair: GoldenPair) -> Iterable[str]:
    brief = pair.brief
    offer = f", offer: {_one_line(brief.offer)}" if brief.offer else ""
    yield f"**{brief.channel}, {_one_line(brief.product.name)}** ({pair.split}, {brief.locale}): " + (
        f"{_one_line(brief.key_message)}{offer}"
    )
    yield ""
    yield f"- reference: {_one_line(pair.reference)}"
    yield f"- candidate: {_one_line(pair.candidate)}"
    if pair.candidate_blocks:
        yield f"- blocked: {_one_line('; '.join(pair.candidate_blocks))}"
    yield ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return ["| " + " | ".join(row) + " |" for row in (head, ("---",) * len(head), *rows)]


def _one_line(text: str) -> str:
    """Model text in one line of Markdown, with nothing in it that Markdown or HTML would act on."""
    folded = " / ".join(line.strip() for line in text.splitlines() if line.strip())
    return "".join(f"\\{c}" if c in r"\`*_[]<>|#" else c for c in folded)
