"""What the report asks: every brand's held-out briefs, its approved copy, and one adapter a seed.

A workspace is prepared as a user's would be: recorded drafts, screening, recorded reviews, snapshot, distillation. What
is there already is kept; an adapter counts as there when student, snapshot, prompt, settings and seed are the same.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from benchmarks import prepared
from brand_voice import snapshot
from brand_voice.brand import BrandFolder
from brand_voice.cli.shell import notify, opened, step_bar
from brand_voice.context import Context
from brand_voice.golden import HELD_OUT
from brand_voice.loop import student_of, train
from brand_voice.merge import Base
from brand_voice.prompts import student_prompt_hash
from brand_voice.records import AdapterManifest, Brief, Example, Split, content_hash
from brand_voice.registry import adapters
from brand_voice.settings import Settings

Slice = Literal["seen products", "unseen products", "de-DE"]
SLICES: tuple[Slice, ...] = ("seen products", "unseen products", "de-DE")
SEEN, UNSEEN, GERMAN = SLICES
LEDGER = "report-adapters.json"
"""File in the workspace that says which adapter was trained from what."""


class Plan(NamedTuple):
    """What is asked for."""

    workspace: Path
    brands: Sequence[str]
    seeds: Sequence[int]
    settings: Settings
    base: Base
    limit: int | None = None
    """Briefs of a slice at most; none for all."""
    splits: Sequence[Split] = HELD_OUT
    """Where the briefs come from."""
    voice_line: str | None = None
    """Stands in every brand's prompt instead of its own; none for its own."""
    best_of: Sequence[int] = ()
    """Samples a brief of further systems that keep the best of them, one system each; all choose from the same."""


class Question(NamedTuple):
    """A held-out brief and the slice it is reported in."""

    brief: Brief
    slice: Slice


class Case(NamedTuple):
    """One brand."""

    brand: BrandFolder
    train: tuple[Example, ...]
    """Approved copy that adapters learn from."""
    questions: tuple[Question, ...]
    adapters: dict[int, AdapterManifest]
    """By seed."""

    @property
    def id(self) -> str:
        """Id of the brand."""
        return self.brand.guide.id


def prepare(plan: Plan, seeds: Sequence[int]) -> list[Case]:
    """Prepare every brand, and train the adapters of these seeds where they are missing."""
    return [_case(plan, brand, seeds) for brand in plan.brands]


def questions(brand: BrandFolder, limit: int | None = None, splits: Sequence[Split] = HELD_OUT) -> tuple[Question, ...]:
    """The brand's briefs of these splits in the order of their hashes, a content once, `limit` of a slice at most."""
    found: dict[str, Question] = {}
    for brief in brand.briefs:
        is_unseen = brand.is_unseen(brief)
        if snapshot.split_of(brief, is_unseen=is_unseen) in splits:
            is_german = not brief.locale.startswith("en-")
            found[brief.hash] = Question(brief, GERMAN if is_german else UNSEEN if is_unseen else SEEN)
    ordered = [found[key] for key in sorted(found)]
    return tuple(q for name in SLICES for q in [q for q in ordered if q.slice == name][:limit])


def _case(plan: Plan, brand_id: str, seeds: Sequence[int]) -> Case:
    with opened(plan.workspace, brand_id, plan.settings) as context:
        prepared.prepare(context)
        guide = context.brand.guide.model_copy(update={"voice_line": plan.voice_line or context.brand.guide.voice_line})
        brand = context.brand.model_copy(update={"guide": guide})
        folder = snapshot.newest(context.workspace.snapshots, brand_id)
        trained = {seed: _adapter(context._replace(brand=brand), plan.base, folder.name, seed) for seed in seeds}
        approved = tuple(snapshot.load(folder, "train"))
        return Case(brand, approved, questions(brand, plan.limit, plan.splits), trained)


def _adapter(context: Context, base: Base, snapshot_name: str, seed: int) -> AdapterManifest:
    """The adapter of a seed, found in the workspace's ledger or trained."""
    training = context.settings.training.model_copy(update={"seed": seed})
    asked = [student_prompt_hash(), context.brand.guide.voice_line]
    made_of = [student_of(context.settings), base.hash, snapshot_name, *asked, training.model_dump()]
    key = content_hash([context.brand_id, *made_of])
    ledger = context.workspace.root / LEDGER
    known = json.loads(ledger.read_text(encoding="utf-8")) if ledger.exists() else {}
    there = {manifest.name: manifest for manifest in adapters(context.workspace.adapters, context.brand_id)}
    if known.get(key) in there:
        return there[known[key]]
    notify(f"{context.brand_id}: training the adapter of seed {seed}")
    seeded = context._replace(settings=context.settings.model_copy(update={"training": training}))
    with step_bar(f"{context.brand_id} {seed}") as on_step:
        manifest = train(seeded, snapshot_name=snapshot_name, on_step=on_step)
    ledger.write_text(json.dumps(known | {key: manifest.name}, indent=1) + "\n", encoding="utf-8")
    return manifest
