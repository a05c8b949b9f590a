"""The student report, and the blind reading that belongs to it.

`python -m benchmarks.student` writes the report, `... items --out FOLDER` what a reader is to judge, `... reading
FOLDER` prints the table of what the reader said, `... ablations` what each part of the recipe is worth. A second run
uses the adapters and answers of the first.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.student import ablations, cases, reading, report, systems
from benchmarks.student.scores import Referee
from brand_voice.cli.shell import notify, read_settings
from brand_voice.errors import BrandVoiceError
from brand_voice.loop import student_of
from brand_voice.merge import find_base
from brand_voice.shipped import shipped

COMMANDS = ("report", "items", "reading", "ablations")
BRANDS = ("tidewater", "fjellvik", "vela")
WORKSPACE = Path("workspace") / "student-report"


def main(argv: Sequence[str] | None = None) -> int:
    """Do what is asked for; return the exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    if not given or given[0] not in (*COMMANDS, "-h", "--help"):
        given.insert(0, "report")
    options = _parser().parse_args(given)
    try:
        match options.command:
            case "reading":
                sys.stdout.write(reading.table(options.folder).markdown() + "\n")
            case "items":
                _items(_plan(options), options.out)
            case "ablations":
                made = ablations.table(_plan(options), options.tokens).markdown() + "\n"
                options.out.write_text(made.removeprefix("#"), encoding="utf-8")
                sys.stdout.write(made)
            case _:
                _report(_plan(options), options.out, " ".join(["python -m benchmarks.student", *given[1:]]))
    except BrandVoiceError as error:
        notify(f"error: {error.message}\n  try: {error.remedy}")
        return error.exit_code
    return 0


def _report(plan: cases.Plan, out: Path, command: str) -> None:
    found = cases.prepare(plan, plan.seeds)
    authors = [systems.echo(found), systems.retrieval(found), systems.base(found, plan), systems.few_shot(found, plan)]
    authors += [systems.lora(found, plan, seed) for seed in plan.seeds]
    authors += [systems.best_of(found, plan, seed, takes) for takes in plan.best_of for seed in plan.seeds]
    authors.append(systems.recorded(found))
    referee = Referee(found)
    scores = [referee.score(author) for author in authors]
    made = report.collect(plan, found, referee, scores, command)
    report.save(made, found, authors, out)
    sys.stdout.write((out / "report.md").read_text(encoding="utf-8"))
    notify(f"written to {out}")


def _items(plan: cases.Plan, out: Path) -> None:
    seed = plan.seeds[0]
    found = cases.prepare(plan, [seed])
    student = (
        systems.best_of(found, plan, seed, plan.best_of[0])
        if plan.best_of
        else systems.lora(found, plan, seed, has_all_briefs=False)
    )
    authors = [student, systems.recorded(found), systems.base(found, plan, has_all_briefs=False)]
    drawn = reading.draw(found, authors)
    reading.save(drawn, out)
    notify(f"{len(drawn.items)} items in {out / 'items.jsonl'}; keep key.json from the reader")


def _plan(options: argparse.Namespace) -> cases.Plan:
    settings = read_settings(options.workspace, None)
    settings = settings.model_copy(update={"student": options.student or settings.student})
    return cases.Plan(
        workspace=options.workspace,
        brands=options.brands,
        seeds=options.seeds,
        settings=settings,
        base=find_base(student_of(settings)),
        limit=options.limit,
        best_of=options.best_of,
    )


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--workspace", type=Path, default=WORKSPACE, help="prepared once and kept")
    shared.add_argument("--brands", nargs="+", default=BRANDS, help="ids of the brands")
    shared.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="training seeds, an adapter each")
    shared.add_argument("--student", help="base student: a folder or a hub id; the shipped one by default")
    shared.add_argument("--limit", type=int, help="briefs of a slice at most")
    shared.add_argument("--best-of", nargs="+", type=int, default=(), help="also keep the best of so many samples")
    parser = argparse.ArgumentParser(prog="python -m benchmarks.student", description=__doc__)
    commands = parser.add_subparsers(dest="command", metavar="{report,items,reading,ablations}")
    writes = commands.add_parser("report", parents=[shared], help="the report (what is done without a command)")
    writes.add_argument("--out", type=Path, default=shipped("data") / "base-student", help="folder for its files")
    draws = commands.add_parser("items", parents=[shared], help="items for a blind reading")
    draws.add_argument("--out", type=Path, required=True, help="folder for items.jsonl and key.json")
    reads = commands.add_parser("reading", help="the table of a finished reading")
    reads.add_argument("folder", type=Path, help="holds key.json and verdicts.jsonl")
    tries = commands.add_parser("ablations", parents=[shared], help="what each part of the recipe is worth")
    tries.add_argument("--tokens", type=int, default=6_000_000, help="training tokens of each base")
    tries.add_argument("--out", type=Path, default=shipped("data") / "base-student" / "ablations.md")
    return parser


if __name__ == "__main__":
    sys.exit(main())
