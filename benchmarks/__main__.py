"""`python -m benchmarks [--only NAME] [--out FILE]`: run the benchmarks, print the tables, write them to a file."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks import (
    distilling,
    gateway,
    intervals,
    machine,
    prepared,
    promoting,
    real_size,
    reviewing,
    sabotage,
    screening,
    writing,
)
from benchmarks.report import Table
from benchmarks.scale import FULL, QUICK, Scale
from brand_voice.cli.shell import notify
from brand_voice.context import Context
from brand_voice.errors import BrandVoiceError
from brand_voice.settings import TrainingSettings

NAMES = (
    "screening",
    "intervals",
    "promoting",
    "gateway",
    "reviewing",
    "writing",
    "distilling",
    "real-size",
    "sabotage",
)
RESULTS = Path(__file__).parent / "results.md"


def main(argv: Sequence[str] | None = None) -> int:
    """Run what is asked for; return the exit code."""
    options = _parser().parse_args(argv)
    scale = QUICK if options.quick else FULL
    names = [options.only] if options.only else list(NAMES)
    tables = [machine.describe()]
    sys.stdout.write(f"{tables[0].markdown()}\n\n")
    try:
        with ExitStack() as stack:
            for table in _tables(names, scale, lambda: _context(stack, options, scale)):
                sys.stdout.write(f"{table.markdown()}\n\n")
                sys.stdout.flush()
                tables.append(table)
    except BrandVoiceError as error:
        notify(f"error: {error.message}\n  try: {error.remedy}")
        return error.exit_code
    options.out.write_text("# Benchmarks\n\n" + "\n\n".join(t.markdown() for t in tables) + "\n", encoding="utf-8")
    notify(f"written to {options.out}")
    return 0


def _tables(names: Sequence[str], scale: Scale, opened: Callable[[], Context]) -> Iterator[Table]:
    """The tables one by one; the workspace is opened for the first benchmark that needs one."""
    if "screening" in names:
        yield screening.measure(scale.screening_s)
    if "intervals" in names:
        yield from intervals.measure(scale.simulated)
    if "reviewing" in names:
        yield from reviewing.measure(scale)
    if "promoting" in names:
        yield promoting.measure(scale.gate_draws)
    if "gateway" in names:
        yield gateway.measure(scale)
    if {*names} & {"writing", "distilling", "real-size", "sabotage"}:
        yield from _of_a_workspace(names, scale, opened())


def _of_a_workspace(names: Sequence[str], scale: Scale, context: Context) -> Iterator[Table]:
    """The tables of what is trained and served."""
    if "writing" in names:
        yield from writing.measure(context, scale)
    if "distilling" in names:
        yield from distilling.measure(context, prepared.pairs(context), scale)
    if "real-size" in names:
        yield real_size.measure(context, scale)
    if "sabotage" in names:
        yield sabotage.measure(context.workspace.root / "sabotage", context.settings.student, scale)


def _context(stack: ExitStack, options: argparse.Namespace, scale: Scale) -> Context:
    """The workspace given, or a temporary one, prepared."""
    folder = options.workspace or Path(stack.enter_context(tempfile.TemporaryDirectory()))
    training = TrainingSettings(max_steps=scale.adapter_steps)
    return stack.enter_context(prepared.workspace(folder, options.student, training))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", choices=NAMES, help="run one of them")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the tables go")
    parser.add_argument("--workspace", type=Path, help="prepared once and kept; a temporary one by default")
    parser.add_argument("--student", help="base student: a folder or a hub id; the shipped one by default")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that everything runs")
    return parser


if __name__ == "__main__":
    sys.exit(main())
