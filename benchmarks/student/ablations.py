"""What each part of the recipe is worth: small bases, alike but for one part, distilled and scored on validation.

A base of the shipped one's length takes over two hours, so these see a fraction of its tokens; the figures say what
a part changes, not how good the shipped base is. Bases, adapters and answers are kept in the workspace.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.report import Table
from benchmarks.student import systems
from benchmarks.student.cases import SEEN, Plan, prepare
from benchmarks.student.scores import EVERY_BRIEF, Referee, Score
from brand_voice.cli.shell import notify
from brand_voice.errors import TrainingError
from brand_voice.merge import find_base
from brand_voice.records import content_hash

VOICELESS = "copy"
"""Stands in every brand's prompt where the voice line is left out."""


class Variant(NamedTuple):
    """One line of the table."""

    name: str
    recipe: dict[str, Any] = {}  # noqa: RUF012  # a NamedTuple's default, never written to
    """Fields of the pretraining recipe that differ."""
    renames: bool = True
    has_voice_line: bool = True


VARIANTS = (
    Variant("the whole recipe"),
    Variant("no generator: natural pairs alone", {"has_generator": False}),
    Variant("half the size", {"hidden_size": 192, "layers": 5, "intermediate_size": 512}),
    Variant("no renaming in distillation", renames=False),
    Variant("no voice line in the prompt", has_voice_line=False),
)


def table(plan: Plan, tokens: int, variants: Sequence[Variant] = VARIANTS) -> Table:
    """Train, distil and score every variant.

    Raises:
        TrainingError: a base could not be trained.
    """
    rows = [_row(plan, variant, tokens) for variant in variants]
    header = ("", "copy gate: name", "offer", "publishable by the rules", "name", "offer", "length", "own voice")
    notes = (
        f"Bases of {tokens / 1e6:.0f}M training tokens; one training seed ({plan.seeds[0]}), one sample a validation "
        "brief, English, all demo brands. Copy gate: invented names and offers copied by the base before any LoRA. Own "
        "voice: each adapter writes the briefs of all brands.",
    )
    return Table("Ablations", header, rows, notes)


def _row(plan: Plan, variant: Variant, tokens: int) -> tuple[str, ...]:
    folder = _base(plan.workspace / "ablations", variant.recipe | {"tokens": tokens})
    gate = json.loads((folder / "training.json").read_text(encoding="utf-8"))["copy_gate"]
    score = _score(_of(plan, variant, folder))
    shares = [score.rate(SEEN, measure) for measure in ("publishable", "name", "offer", "length")]
    voice = score.rate(EVERY_BRIEF, "voice")
    return (variant.name, f"{gate['name']:.0%}", f"{gate['offer']:.0%}", *map(str, shares), str(voice))


def _base(parent: Path, recipe: dict[str, Any]) -> Path:
    """The base of a recipe, trained unless it is there; a killed run goes on where it stopped."""
    place = parent / content_hash(recipe)[:12]
    if not (place / "out" / "training.json").exists():
        notify(f"training a base: {json.dumps(recipe)}")
        command = [sys.executable, "-m", "brand_voice.pretrain", "--recipe", json.dumps(recipe)]
        folders = ["--work", str(place / "work"), "--out", str(place / "out")]
        if subprocess.run([*command, *folders], check=False, stdout=subprocess.DEVNULL).returncode:
            raise TrainingError(f"no base from {recipe}", remedy=f"run {' '.join(command)} and read what it says")
    return place / "out"


def _of(plan: Plan, variant: Variant, folder: Path) -> Plan:
    """The plan for one variant: its base, its settings, validation instead of test briefs."""
    training = plan.settings.training.model_copy(update={"renames": "on" if variant.renames else "off"})
    changes = {"student": str(folder), "training": training}
    return plan._replace(
        settings=plan.settings.model_copy(update=changes),
        base=find_base(str(folder)),
        splits=("validation",),
        voice_line=None if variant.has_voice_line else VOICELESS,
    )


def _score(plan: Plan) -> Score:
    found = prepare(plan, plan.seeds[:1])
    return Referee(found).score(systems.lora(found, plan, plan.seeds[0]))
