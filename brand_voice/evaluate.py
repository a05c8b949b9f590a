"""Student against teacher on briefs neither side of training has seen: counts, never a bare mean.

A text passes a check when the check has no `block` or `warn` finding on it; a check is counted only on texts it
applies to. Briefs about unseen products are a slice of their own. Rules see numbers, names, offers and words; whether
a text invents a detail in words or sounds like the brand they do not know, and the report says so.
"""

import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from brand_voice.rates import Rate
from brand_voice.records import AdapterManifest, Brief, Draft, Example, Record, Screening, Split, now
from brand_voice.screen.similar import masked, nearest

COPIED_THRESHOLD = 0.85
"""Similarity to a training text, names, numbers and offer masked, from which a text counts as copied."""


class Scored(NamedTuple):
    """A draft, what the rules say of it, and the slice it stands in."""

    brief: Brief
    draft: Draft
    screening: Screening | None
    """None for a draft that failed."""
    split: Split


class Side(Record):
    """One author's figures."""

    name: str
    texts: int
    failed: dict[str, int]
    publishable: Rate
    """No `block` finding at all."""
    checks: dict[str, Rate]
    slices: dict[str, Rate]
    """Publishable, by slice."""
    copied: Rate
    """Near-duplicates of a training text."""
    completion_tokens: int
    latency_p50_ms: float | None
    """Measured under the batch's load; none for recorded answers."""
    latency_p95_ms: float | None
    usd_per_thousand: float | None
    cost_basis: str


class Pair(Record):
    """The same brief answered by both."""

    brief: Brief
    split: Split
    teacher: str
    student: str
    student_blocks: tuple[str, ...]


class Evaluation(Record):
    """What the report shows."""

    brand: str
    adapter: str
    snapshot: str
    guide_version: str
    created_at: str
    teacher: Side
    student: Side
    pairs: tuple[Pair, ...]


def evaluate(
    adapter: AdapterManifest,
    teacher: Sequence[Scored],
    student: Sequence[Scored],
    train: Sequence[Example],
    *,
    student_usd: float | None,
    samples: int = 10,
) -> Evaluation:
    """Compare two authors on the same briefs.

    Args:
        adapter: who wrote the student's texts.
        teacher: the teacher's texts, one a brief.
        student: the student's texts, one a brief.
        train: what the student was trained on, for the count of copies.
        student_usd: what the student's batch cost altogether, where the machine has a price.
        samples: pairs to show, spread evenly over the briefs in the order of their hashes, none chosen by result.
    """
    corpus = [masked(e.text, e.brief) for e in train]
    listed = [s.draft.cost_usd for s in teacher if s.draft.cost_usd is not None]
    is_recorded = any(s.draft.is_recorded for s in teacher)
    teacher_basis = "recorded: tokens counted, list price" if is_recorded else "metered: tokens counted, list price"
    student_basis = (
        "measured: seconds x machine_usd_per_hour" if student_usd is not None else "machine_usd_per_hour not set"
    )
    return Evaluation(
        brand=adapter.brand,
        adapter=adapter.name,
        snapshot=adapter.snapshot,
        guide_version=adapter.guide_version,
        created_at=now(),
        teacher=_side("teacher", teacher, corpus, cost=(sum(listed) if listed else None, teacher_basis)),
        student=_side("student", student, corpus, cost=(student_usd, student_basis)),
        pairs=_pairs(teacher, student, samples),
    )


def markdown(evaluation: Evaluation) -> str:
    """The report as Markdown."""
    teacher, student = evaluation.teacher, evaluation.student
    lines = [
        f"# {evaluation.brand}: student against teacher",
        "",
        f"Adapter `{evaluation.adapter}`, snapshot `{evaluation.snapshot}`, guide {evaluation.guide_version}, "
        f"{evaluation.created_at}. Held-out briefs only: teacher {teacher.texts}, student {student.texts} texts.",
        "A text passes a check without a `block` or `warn` finding; it is publishable by the rules without a `block`.",
        "The rules see numbers, names, offers, lengths and words. They do not see a detail invented in words, nor",
        "taste: read the pairs below before you believe a percentage.",
        "",
        *_table(("check", "teacher", "student"), _check_rows(teacher, student)),
        "",
        *_table(("publishable, by slice", "teacher", "student"), _slice_rows(teacher, student)),
        "",
        *_table(("speed and cost", "teacher", "student"), _cost_rows(teacher, student)),
        "",
        "## Pairs, unselected",
        "",
    ]
    for pair in evaluation.pairs:
        brief = pair.brief
        offer = f", offer: {brief.offer}" if brief.offer else ""
        lines += [
            f"**{brief.channel}, {brief.product.name}** ({pair.split}, {brief.locale}): {brief.key_message}{offer}",
            "",
            f"- teacher: {_one_line(pair.teacher)}",
            f"- student: {_one_line(pair.student)}",
            *([f"- student's blocking findings: {'; '.join(pair.student_blocks)}"] if pair.student_blocks else []),
            "",
        ]
    return "\n".join(lines)


def _side(name: str, scored: Sequence[Scored], corpus: Sequence[str], *, cost: tuple[float | None, str]) -> Side:
    ok = [(s, s.screening) for s in scored if s.screening is not None]
    checks: dict[str, list[bool]] = defaultdict(list)
    for _, screening in ok:
        failed = {f.check for f in screening.findings if f.severity != "suggest"}
        for check in screening.checks:
            checks[check].append(check not in failed)
    near = [nearest(masked(s.draft.text, s.brief), corpus) for s, _ in ok]
    latencies = [s.draft.latency_ms for s, _ in ok if s.draft.latency_ms is not None and not s.draft.is_recorded]
    total_usd, basis = cost
    return Side(
        name=name,
        texts=len(ok),
        failed=dict(Counter(s.draft.failure for s in scored if s.draft.failure)),
        publishable=_rate(not screening.blocks for _, screening in ok),
        checks={check: _rate(found) for check, found in sorted(checks.items())},
        slices={label: _rate(not s.blocks for x, s in ok if belongs(x)) for label, belongs in _slices(scored)},
        copied=_rate(found is not None and found[1] >= COPIED_THRESHOLD for found in near),
        completion_tokens=sum(s.draft.usage.completion_tokens for s, _ in ok),
        latency_p50_ms=round(statistics.median(latencies), 1) if latencies else None,
        latency_p95_ms=round(_percentile(latencies, 0.95), 1) if latencies else None,
        usd_per_thousand=round(1_000 * total_usd / len(ok), 4) if total_usd is not None and ok else None,
        cost_basis=basis,
    )


def _slices(scored: Sequence[Scored]) -> list[tuple[str, Callable[[Scored], bool]]]:
    def by(label: str, value: Callable[[Scored], str]) -> list[tuple[str, Callable[[Scored], bool]]]:
        found = sorted({value(s) for s in scored})
        return [(f"{label} {v}", lambda s, v=v: value(s) == v) for v in found]  # type: ignore[misc]

    return [
        *by("split", lambda s: s.split),
        *by("channel", lambda s: s.brief.channel),
        *by("locale", lambda s: s.brief.locale),
        *by("offer", lambda s: "given" if s.brief.offer else "none"),
    ]


def _rate(found: Iterable[bool]) -> Rate:
    values = list(found)
    return Rate(hits=sum(values), of=len(values))


def _percentile(values: Sequence[float], share: float) -> float:
    """Nearest-rank percentile."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def _pairs(teacher: Sequence[Scored], student: Sequence[Scored], samples: int) -> tuple[Pair, ...]:
    texts = {s.brief.hash: s.draft.text for s in teacher if s.screening}
    both = [s for s in student if s.screening and s.brief.hash in texts]
    both.sort(key=lambda s: s.brief.hash)
    chosen = both[:: max(1, len(both) // samples)][:samples] if samples else []
    return tuple(
        Pair(
            brief=s.brief,
            split=s.split,
            teacher=texts[s.brief.hash],
            student=s.draft.text,
            student_blocks=tuple(f.message for f in s.screening.blocks) if s.screening else (),
        )
        for s in chosen
    )


def _check_rows(teacher: Side, student: Side) -> list[tuple[str, str, str]]:
    names = sorted({*teacher.checks, *student.checks})
    none = Rate(hits=0, of=0)
    rows = [(n, str(teacher.checks.get(n, none)), str(student.checks.get(n, none))) for n in names]
    return [
        ("**publishable by the rules**", str(teacher.publishable), str(student.publishable)),
        *rows,
        (f"copied from training (similarity {COPIED_THRESHOLD} up)", str(teacher.copied), str(student.copied)),
    ]


def _slice_rows(teacher: Side, student: Side) -> list[tuple[str, str, str]]:
    none = Rate(hits=0, of=0)
    names = list(dict.fromkeys([*student.slices, *teacher.slices]))
    return [(n, str(teacher.slices.get(n, none)), str(student.slices.get(n, none))) for n in names]


def _cost_rows(teacher: Side, student: Side) -> list[tuple[str, str, str]]:
    def ms(value: float | None) -> str:
        return "recorded, not measured" if value is None else f"{value:,.0f} ms"

    def usd(side: Side) -> str:
        value = "-" if side.usd_per_thousand is None else f"${side.usd_per_thousand:,.2f}"
        return f"{value} ({side.cost_basis})"

    def failures(side: Side) -> str:
        return ", ".join(f"{n} {kind}" for kind, n in side.failed.items()) or "none"

    def per_text(side: Side) -> str:
        return f"{side.completion_tokens / side.texts:.0f}" if side.texts else "n/a"

    return [
        ("latency p50, under batch load", ms(teacher.latency_p50_ms), ms(student.latency_p50_ms)),
        ("latency p95, under batch load", ms(teacher.latency_p95_ms), ms(student.latency_p95_ms)),
        (
            "completion tokens a text",
            f"{per_text(teacher)} (its own count)",
            f"{per_text(student)} (its own tokenizer)",
        ),
        ("cost of 1,000 texts", usd(teacher), usd(student)),
        ("failed", failures(teacher), failures(student)),
    ]


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    return ["| " + " | ".join(row) + " |" for row in (head, ("---",) * len(head), *rows)]


def _one_line(text: str) -> str:
    """Model text in one line of Markdown, with nothing in it that Markdown or HTML would act on."""
    folded = " / ".join(line.strip() for line in text.splitlines() if line.strip())
    return "".join(f"\\{c}" if c in r"\`*_[]<>|#" else c for c in folded)
