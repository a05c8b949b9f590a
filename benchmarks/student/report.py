"""The report's files: `report.json` with every count, `report.md` to read, `samples.md` to judge for oneself."""

import random
import statistics
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.report import Table
from benchmarks.student import reading
from benchmarks.student.cases import GERMAN, SEEN, SLICES, UNSEEN, Case, Plan
from benchmarks.student.scores import COPIED_THRESHOLD, EVERY_BRIEF, MEASURES, Referee, Score
from benchmarks.student.systems import LORA, TEACHER, Entry, System
from brand_voice.rates import Rate
from brand_voice.records import Brief, Record, now

SAMPLES = 30
"""Answers a brand in `samples.md`."""
GERMAN_SAMPLES = 6
PACKAGES = ("torch", "transformers", "trl", "peft", "scikit-learn")
GOALS = {"name": "95%", "offer": "95%", "length": "97%", "truth": "97%"}
HEADS = {"publishable": "publishable by the rules", "voice": "own voice", "copied": f"copied ({COPIED_THRESHOLD} up)"}


class Report(Record):
    """Everything the tables are made of."""

    created_at: str
    command: str
    versions: dict[str, str]
    base: str
    """Hash of the base student's weights."""
    sampling: dict[str, Any]
    training: dict[str, Any]
    adapters: dict[str, tuple[str, ...]]
    """By brand, in the order of the seeds."""
    judge_cross_validated: float
    """Accuracy of the judge of voice on approved training copy, five folds grouped by brief."""
    scores: tuple[Score, ...]


def collect(plan: Plan, cases: Sequence[Case], referee: Referee, scores: Sequence[Score], command: str) -> Report:
    """The report of a run."""
    return Report(
        created_at=now(),
        command=command,
        versions={package: version(package) for package in PACKAGES},
        base=plan.base.hash,
        sampling=plan.settings.student_sampling.model_dump(exclude={"seed"}),
        training=plan.settings.training.model_dump(exclude={"seed"}),
        adapters={case.id: tuple(case.adapters[seed].name for seed in plan.seeds) for case in cases},
        judge_cross_validated=round(referee.cross_validated, 4),
        scores=tuple(scores),
    )


def save(report: Report, cases: Sequence[Case], systems: Sequence[System], folder: Path) -> None:
    """Write the three files; a blind reading in `folder/reading` is told in the report."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(report.model_dump_json(indent=1) + "\n", encoding="utf-8")
    (folder / "report.md").write_text(markdown(report, folder / "reading"), encoding="utf-8")
    (folder / "samples.md").write_text(samples(cases, systems), encoding="utf-8")


def markdown(report: Report, read: Path) -> str:
    """The tables, and how to read them."""
    tables = [_slice_table(report, name) for name in SLICES]
    tables += [_detail_table(report, kind) for kind in ("channel", "brand")]
    tables += [_reading(folder) for folder in (read, *sorted(read.glob("*/"))) if (folder / "verdicts.jsonl").is_file()]
    versions = ", ".join(f"{name} {number}" for name, number in report.versions.items())
    head = f"""# What the student writes

A demonstration model: a few million parameters, trained from scratch in this repository. {report.created_at[:10]},
base {report.base}, {versions}.

    {report.command}

Sampling {_listed(report.sampling)}; training {_listed(report.training)}.

{_how_to_read(report)}"""
    return "\n\n".join([head, *(t.markdown() for t in tables if t.rows)]) + "\n"


def samples(cases: Sequence[Case], systems: Sequence[System]) -> str:
    """Random answers of the first seed's adapters beside their briefs and the teacher's copy."""
    student = next(system for system in systems if system.name == LORA)
    teacher = next(system for system in systems if system.name == TEACHER)
    copy = {(e.voice, e.question.brief.hash): e.text or "" for e in teacher.entries}
    lines = [
        "# Samples of the student",
        "",
        f"Per brand {SAMPLES} answers to held-out English briefs, drawn at random and unselected, by the adapter of "
        f"seed {student.seed}, one sample a brief; below, the teacher's copy of the brief. German ones at the end.",
    ]
    for case in cases:
        own = [e for e in student.entries if e.voice == case.id == e.question.brief.brand]
        lines += ["", f"## {case.brand.guide.name}", ""]
        for is_german, number in ((False, SAMPLES), (True, GERMAN_SAMPLES)):
            found = [e for e in own if (e.question.slice == GERMAN) == is_german]
            shown = random.Random(0).sample(found, min(number, len(found)))
            lines += [line for e in shown for line in _sample(e, copy.get((e.voice, e.question.brief.hash), ""))]
    return "\n".join(lines) + "\n"


def plain(text: str) -> str:
    """Model text in one line of Markdown, with nothing in it that Markdown or HTML would act on."""
    folded = " / ".join(line.strip() for line in text.splitlines() if line.strip())
    return "".join(f"\\{c}" if c in r"\`*_[]<>|#" else c for c in folded)


def _sample(entry: Entry, teacher: str) -> Iterator[str]:
    brief = entry.question.brief
    unseen = ", unseen product" if entry.question.slice == UNSEEN else ""
    yield f"**{plain(brief.product.name)}**, {brief.channel.replace('_', ' ')}, {brief.locale}{unseen}"
    yield ""
    yield f"- brief: {plain(_told(brief))}"
    yield f"- student: {'(did not end)' if entry.text is None else plain(entry.text)}"
    yield f"- teacher: {plain(teacher)}"
    yield ""


def _told(brief: Brief) -> str:
    named = (
        ("category", brief.product.category),
        ("facts", " | ".join(brief.product.facts)),
        ("audience", (brief.audience or "").replace("_", " ")),
        ("message", brief.key_message),
        ("occasion", brief.occasion),
        ("offer", brief.offer),
        ("call to action", brief.cta),
    )
    return "; ".join(f"{name}: {value}" for name, value in named if value)


def _slice_table(report: Report, name: str) -> Table:
    names = list(dict.fromkeys(score.system for score in report.scores))
    rows = []
    for system in names:
        scores = [score for score in report.scores if score.system == system]
        if any(name in score.slices for score in scores):
            rows.append((_label(system, scores), *_cells(scores, name)))
    if rows and name == SEEN:
        rows.append(("goal", *_goals(report)))
    header = ["", *(HEADS.get(measure, measure) for measure in MEASURES), EVERY_BRIEF]
    width = len(header) if name == SEEN else len(header) - 1
    title = name if name == GERMAN else f"English, {name}"
    return Table(title, header[:width], [row[:width] for row in rows])


def _detail_table(report: Report, kind: str) -> Table:
    """The adapters' figures by channel or by brand."""
    scores = [score for score in report.scores if score.system == LORA]
    names = sorted({name for score in scores for name in score.slices if name.startswith(f"{kind}: ")})
    rows = [(name.removeprefix(f"{kind}: "), *_cells(scores, name)[:-1]) for name in names]
    measures = [HEADS.get(measure, measure) for measure in MEASURES]
    return Table(f"{LORA}, by {kind}", ("", *measures), rows)


def _cells(scores: Sequence[Score], name: str) -> list[str]:
    cells = [_cell([score.rate(name, measure) for score in scores]) for measure in MEASURES]
    has_all = any(s.rate(EVERY_BRIEF, "voice").of > s.rate(SEEN, "voice").of for s in scores)
    every = _cell([s.rate(EVERY_BRIEF, "voice") for s in scores]) if has_all and name == SEEN else ""
    return [*cells, every]


def _cell(rates: Sequence[Rate]) -> str:
    """A share with its counts; over several seeds the mean, the range and the texts of each."""
    counted = [rate for rate in rates if rate.of]
    if len(counted) < 2:
        return str(counted[0]) if counted else ""
    shares = [rate.hits / rate.of for rate in counted]
    return f"{statistics.mean(shares):.0%} ({min(shares):.0%} to {max(shares):.0%}, of {counted[0].of})"


def _goals(report: Report) -> list[str]:
    teacher = next((score for score in report.scores if score.system == TEACHER), None)
    copied = teacher.rate(SEEN, "copied") if teacher else Rate(hits=0, of=0)
    voice = teacher.rate(SEEN, "voice") if teacher else Rate(hits=0, of=0)
    goals = dict(GOALS)
    if copied.of:
        goals["copied"] = f"at most {copied.hits / copied.of + 0.05:.0%}"
    every = f"{0.9 * voice.hits / voice.of:.0%}" if voice.of else ""
    return [*(goals.get(measure, "") for measure in MEASURES), every]


def _label(system: str, scores: Sequence[Score]) -> str:
    return f"{system}, {len(scores)} seeds" if len(scores) > 1 else system


def _reading(folder: Path) -> Table:
    table = reading.table(folder)
    return table if folder.name == "reading" else table._replace(title=f"{table.title}: {folder.name}")


def _how_to_read(report: Report) -> str:
    return f"""How to read the tables. One sample a held-out brief, all brands together. A share stands with its
counts, and counts are of the texts a question applies to: *offer* of the briefs that hold one. With several training
seeds: mean, lowest to highest, texts of one seed. A text that did not end fails whatever applies to it.

- *name*, *offer*: word for word, case aside. In German an offer's numbers and codes.
- *length*: within the channel's limits, minimum included.
- *truth*: no number, price, date, code, promise or product name that the brief does not hold. A detail invented in
  words passes; only the blind reading sees it.
- *{HEADS["copied"]}*: similarity to a training text after masking name, numbers and offer; lower is better.
- *own voice*: a classifier assigns the text to the brand. It learned from approved copy, the words of the brief and of
  the catalogues masked, and has not seen the training text most like the one it judges. Chance is a third; what no
  voice at all gets is the echo's figure. Of the training copy it assigns {report.judge_cross_validated:.0%} right
  (cross-validated by brief): copy this short does not tell more.
- *{EVERY_BRIEF}*: own voice where each brand's student, with that brand's voice line, writes the briefs of all
  brands, so that what a brand sells gives nothing away. The goal is 90% of the teacher's own score.
- *echo of the brief* shows how much the rules alone let through."""


def _listed(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
