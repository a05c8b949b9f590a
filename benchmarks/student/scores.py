"""How often each system does what it should, as counts over the texts that a question applies to.

A text that did not end fails whatever applies to its brief. A check is passed without a `block` or `warn` finding, as
in `brand-voice evaluate`; `length` asks for the channel's limits alone, not for a single SMS segment.
"""

from collections import defaultdict
from collections.abc import Sequence

from benchmarks.student.cases import GERMAN, SEEN, Case
from benchmarks.student.systems import Entry, System
from brand_voice.errors import InputError
from brand_voice.rates import Rate
from brand_voice.records import Record, Screening
from brand_voice.screen.screening import Screener
from brand_voice.screen.similar import masked, nearest
from brand_voice.voice import Sample, VoiceJudge

MEASURES = ("publishable", "name", "offer", "length", "truth", "language", "copied", "voice")
CHECKS = {"name": "must_have", "offer": "offer", "truth": "truth", "language": "language"}
"""Measures that are a check of the rules, and that check's name."""
LIMITS = frozenset({"length.max", "length.min"})
COPIED_THRESHOLD = 0.8
"""Similarity to a training text, name, numbers and offer masked, from which a text counts as copied."""
EVERY_BRIEF = "three brands' briefs"
"""The slice in which each brand's student writes the briefs of all."""


class Score(Record):
    """One system's counts, by slice and measure."""

    system: str
    seed: int | None
    unfinished: int
    slices: dict[str, dict[str, Rate]]

    def rate(self, name: str, measure: str) -> Rate:
        """The counts of a measure in a slice; of nothing where there are none."""
        return self.slices.get(name, {}).get(measure, Rate(hits=0, of=0))


class Referee:
    """Rules, training texts and the judge of voice of all brands, ready to score."""

    def __init__(self, cases: Sequence[Case]) -> None:
        """Learn the voices.

        Raises:
            InputError: one brand alone, which nothing can be told apart from.
        """
        if len(cases) < 2:
            raise InputError("a report needs two brands: voices are told apart", remedy="name more with --brands")
        products = [product for case in cases for product in case.brand.products]
        self._judge = VoiceJudge.fit({case.id: english(case) for case in cases}, products)
        self._screeners = {case.id: Screener(case.brand.guide, case.brand.catalogue) for case in cases}
        self._known = {case.id: [masked(e.text, e.brief) for e in case.train] for case in cases}

    @property
    def cross_validated(self) -> float:
        """Accuracy of the judge of voice on the training copy, by brief."""
        return self._judge.cross_validated

    def score(self, system: System) -> Score:
        """Count what a system's texts do."""
        found: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
        for entry, is_own in zip(system.entries, self._sounds_own(system.entries), strict=True):
            marks = self._marks(entry) if entry.question.brief.brand == entry.voice else {}
            if is_own is not None:
                marks["voice"] = is_own
            for name in _slices(entry):
                for measure, mark in marks.items():
                    if name != EVERY_BRIEF or measure == "voice":
                        found[name][measure].append(mark)
        slices = {
            name: {m: Rate(hits=sum(marks[m]), of=len(marks[m])) for m in MEASURES if m in marks}
            for name, marks in found.items()
        }
        unfinished = sum(entry.text is None for entry in system.entries)
        return Score(system=system.name, seed=system.seed, unfinished=unfinished, slices=slices)

    def _sounds_own(self, entries: Sequence[Entry]) -> list[bool | None]:
        """Whether each text sounds like the brand that wrote it; None in another language, which no judge learned."""
        heard = self._judge.brands_of([Sample(entry.text or "", entry.question.brief) for entry in entries])
        return [
            None if entry.question.slice == GERMAN else entry.text is not None and brand == entry.voice
            for entry, brand in zip(entries, heard, strict=True)
        ]

    def _marks(self, entry: Entry) -> dict[str, bool]:
        brief, has_ended = entry.question.brief, entry.text is not None
        text = entry.text or ""
        screening = self._screeners[entry.voice].screen(text, brief)
        marks = {measure: has_ended and mark for measure, mark in _passed(screening).items()}
        near = nearest(masked(text, brief), self._known[entry.voice]) if has_ended else None
        return marks | {"copied": near is not None and near[1] >= COPIED_THRESHOLD}


def english(case: Case) -> list[Sample]:
    """The brand's approved English training copy: what the judge of voice learns from."""
    return [Sample(e.text, e.brief) for e in case.train if e.brief.locale.startswith("en-")]


def _passed(screening: Screening) -> dict[str, bool]:
    failed = {finding.check for finding in screening.findings if finding.severity != "suggest"}
    marks = {measure: check not in failed for measure, check in CHECKS.items() if check in screening.checks}
    has_limits = "length" in screening.checks
    kept = not any(finding.rule in LIMITS for finding in screening.findings)
    return {"publishable": not screening.blocks} | ({"length": kept} if has_limits else {}) | marks


def _slices(entry: Entry) -> list[str]:
    """The slices a text is counted in."""
    question = entry.question
    if question.brief.brand != entry.voice:
        return [EVERY_BRIEF]
    if question.slice != SEEN:
        return [question.slice]
    channel = question.brief.channel.replace("_", " ")
    return [SEEN, EVERY_BRIEF, f"channel: {channel}", f"brand: {entry.voice}"]
