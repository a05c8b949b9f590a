"""`python -m benchmarks.generations`: the student's generations, as more and more reviewed copy comes in.

From the state of the demo (recorded drafts, screened), rounds of refresh on growing reviewed data: each applies the
next recorded reviews and runs what `brand-voice refresh --auto` runs. Every brand has a workspace of its own, so that
the judge of voice hears the other brands' recorded copy in every round. A second run goes on where the first one ended.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.report import Table
from brand_voice import distill, loop, promotion, snapshot
from brand_voice.answer_files import write_whole
from brand_voice.assess import TEACHER, Question, assess
from brand_voice.cli.shell import notify, opened, read_settings, step_bar
from brand_voice.context import Context
from brand_voice.errors import ArtifactError, BrandVoiceError
from brand_voice.evidence import Measure, Report
from brand_voice.merge import find_base
from brand_voice.records import AdapterManifest, Example, Record
from brand_voice.refresh import Ask, refresh
from brand_voice.registry import find
from brand_voice.shipped import shipped

BRANDS = ("tidewater", "fjellvik", "vela")
REVIEWS = (100, 250)
"""Recorded reviews of the first rounds; the last round has all."""
BATCH = 16
CURVES: tuple[tuple[str, Callable[["Generation"], float | None]], ...] = (
    ("no blocking finding", lambda g: g.share("all_pass")),
    ("facts in the brief", lambda g: g.share("truth")),
    ("own voice, topic masked", lambda g: g.share("voice")),
    ("diversity", lambda g: g.share("diversity")),
)


class Round(Record):
    """What a round left, kept in the workspace: reviews that were applied later would change what it finds."""

    reviews: int
    adapter: str
    report: Report
    """Against the teacher."""
    gate: str


class Generation(NamedTuple):
    """One round as it stands in the table."""

    number: int
    round: Round
    adapter: AdapterManifest
    validation_loss: float
    """On the last round's validation pairs: the same for all rounds, which no round trained on."""

    @property
    def pairs(self) -> int:
        """Training pairs."""
        return int(self.adapter.training["pairs"])

    def share(self, measure: Measure) -> float | None:
        """What the report says of the student in a measure."""
        found = self.round.report.difference(measure)
        return found.candidate if found else None


def main(argv: Sequence[str] | None = None) -> int:
    """Run the rounds of every brand asked for; return the exit code."""
    options = _parser().parse_args(argv)
    try:
        for brand in options.brand:
            settings = read_settings(options.workspace, None)
            with opened(options.workspace / brand, brand, settings) as context:
                found = measure(context, options.reviews)
            save(brand, found, options.out)
            sys.stdout.write(table(brand, found).markdown() + "\n\n")
            sys.stdout.flush()
    except BrandVoiceError as error:
        notify(f"error: {error.message}\n  try: {error.remedy}")
        return error.exit_code
    notify(f"written to {options.out}")
    return 0


def measure(context: Context, reviews: Sequence[int]) -> list[Generation]:
    """Run the rounds; what an earlier run left is found again, step by step."""
    loop.write_drafts(context, loop.Ask())
    loop.screen_drafts(context)
    everything = len(context.brand.reviews)
    counts = [*(count for count in reviews if count < everything), everything]
    rounds = [_kept(context, count) or _round(context, count) for count in counts]
    adapters = [find(context.workspace.adapters, context.brand_id, each.adapter) for each in rounds]
    held = snapshot.load(context.workspace.snapshots / adapters[-1].snapshot, "validation")
    return [
        Generation(number, each, adapter, _validation_loss(context, adapter, held))
        for number, (each, adapter) in enumerate(zip(rounds, adapters, strict=True), start=1)
    ]


def _file(context: Context, count: int) -> Path:
    return context.workspace.root / f"round-{count}.json"


def _kept(context: Context, count: int) -> Round | None:
    path = _file(context, count)
    return Round.model_validate_json(path.read_bytes()) if path.is_file() else None


def _round(context: Context, count: int) -> Round:
    """Apply reviews up to a count, refresh, set what came of it beside the teacher, and keep that.

    Raises:
        ArtifactError: so few reviews were new that nothing was trained.
    """
    notify(f"\n{context.brand_id}: {count} reviews")
    loop.apply_recorded_reviews(context, spare=len(context.brand.reviews) - count)
    notify(refresh(context, Ask(is_auto=True), bar=step_bar).sentence)
    frozen = loop.freeze(context)
    adapter = loop.trained(context, frozen.name)
    if adapter is None:
        raise ArtifactError(
            f"{count} reviews of {context.brand_id} trained nothing", remedy="give --reviews that are further apart"
        )
    samples = context.settings.refresh.samples
    report = assess(context, Question(adapter=adapter.name, against=TEACHER, samples=samples)).report
    done = Round(reviews=count, adapter=adapter.name, report=report, gate=_gate(context, adapter))
    write_whole(_file(context, count), f"{done.model_dump_json(indent=1)}\n".encode())
    return done


def _gate(context: Context, adapter: AdapterManifest) -> str:
    """What became of the adapter: promoted, or why not."""
    if any(act.adapter == adapter.name for act in promotion.history(context).changes):
        return "promoted"
    return "; ".join(promotion.judge(context, adapter).gate.reasons) or "passes"


def _validation_loss(context: Context, adapter: AdapterManifest, held: Sequence[Example]) -> float:
    """Mean loss of the completions' tokens, nats."""
    import torch
    from peft import PeftModel
    from torch.nn.utils.rnn import pad_sequence

    base, tokenizer = distill.load_student(find_base(loop.student_of(context.settings)).path)
    model = PeftModel.from_pretrained(base, context.workspace.adapters / adapter.name).eval()
    limit = context.settings.training.max_length
    rows = distill.encode(tokenizer, context.brand.guide, held, max_length=limit)
    total, count = 0.0, 0
    with torch.inference_mode():
        for start in range(0, len(rows), BATCH):
            batch = rows[start : start + BATCH]
            ids = [torch.tensor(row.prompt + row.completion) for row in batch]
            marked = [torch.tensor([distill.IGNORED] * len(row.prompt) + row.completion) for row in batch]
            padded = pad_sequence(ids, batch_first=True)  # (B, T)
            labels = pad_sequence(marked, batch_first=True, padding_value=distill.IGNORED)[:, 1:]  # (B, T-1)
            mask = pad_sequence([torch.ones_like(row) for row in ids], batch_first=True)
            scores = model(input_ids=padded, attention_mask=mask).logits[:, :-1].float()  # (B, T-1, vocabulary)
            loss = torch.nn.functional.cross_entropy(scores.flatten(0, 1), labels.flatten(), reduction="sum")
            total, count = total + float(loss), count + int((labels != distill.IGNORED).sum())
    return total / count


def table(brand: str, generations: Sequence[Generation]) -> Table:
    """The rounds as a table, the teacher below."""
    header = ("", "reviews", "training pairs", "no block", "truth", "voice", "diversity", "copied", "validation loss")
    rows = [_row(each) for each in generations]
    teacher = generations[-1].round.report
    marks = [_reference(teacher, name) for name in ("all_pass", "truth", "voice", "diversity")]
    rows.append(("teacher", "", "", *marks, "", "", "", ""))
    side = teacher.side("candidate")
    notes = (
        f"{side.briefs if side else 0} golden briefs, texts a brief: {teacher.samples}, golden set {teacher.golden}. "
        "Gate: against what was live in that round, the base in the first. Validation loss: nats per completion "
        "token on the last round's validation pairs. Copied: near-duplicates of a training text, masked.",
    )
    return Table(f"Generations of {brand}", (*header, "against the teacher", "gate"), rows, notes)


def _row(each: Generation) -> tuple[str, ...]:
    side = each.round.report.side("candidate")
    shares = [_percent(each.share(name)) for name in ("all_pass", "truth", "voice", "diversity")]
    copied = str(side.copied) if side else ""
    decision = each.round.report.decision.replace("_", " ")
    figures = (
        f"{each.number}",
        f"{each.round.reviews}",
        f"{each.pairs}",
        *shares,
        copied,
        f"{each.validation_loss:.3f}",
    )
    return (*figures, decision, each.round.gate)


def _reference(report: Report, measure: Measure) -> str:
    found = report.difference(measure)
    return _percent(found.reference if found else None)


def _percent(share: float | None) -> str:
    return "not measured" if share is None else f"{share:.0%}"


def save(brand: str, generations: Sequence[Generation], out: Path) -> None:
    """Write `<brand>.md` and `<brand>.svg`."""
    import matplotlib as mpl

    mpl.use("agg")
    mpl.rcParams |= {"svg.hashsalt": brand, "svg.fonttype": "none"}
    from matplotlib.figure import Figure

    out.mkdir(parents=True, exist_ok=True)
    (out / f"{brand}.md").write_text(table(brand, generations).markdown().removeprefix("#") + "\n", encoding="utf-8")
    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    for label, share in CURVES:
        points = [(g.pairs, value) for g in generations if (value := share(g)) is not None]
        if points:
            axes.plot(*zip(*points, strict=True), marker="o", label=label)
    axes.set(xlabel="training pairs", ylabel="share of texts", ylim=(0, 1.02), title=brand)
    axes.legend(frameon=False, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(out / f"{brand}.svg", metadata={"Date": None})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.generations", description=__doc__)
    parser.add_argument("--brand", nargs="+", default=BRANDS, choices=BRANDS, help="ids of the brands; all by default")
    parser.add_argument("--workspace", type=Path, default=Path("workspace") / "generations", help="one folder a brand")
    parser.add_argument("--reviews", nargs="*", type=int, default=REVIEWS, help="reviews of the rounds before the last")
    parser.add_argument(
        "--out", type=Path, default=shipped("data") / "generations", help="folder for tables and curves"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
