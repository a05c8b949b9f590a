"""What the promotion gate says of adapters that were spoilt on purpose, and of good ones: trained, served, evaluated.

Every adapter is of the shipped student and bears the brand's name, as if somebody had mixed something up: briefs and
texts shuffled, another brand's copy, a training that left nothing. Each is evaluated as `brand-voice evaluate` would,
against the good adapter, which is live, or against the base, as if nothing were.
"""

import json
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks import prepared
from benchmarks.report import Table
from benchmarks.scale import FULL, Scale
from brand_voice import distill
from brand_voice.artifacts import building, file_hashes, read_manifest, write_manifest
from brand_voice.assess import Question, assess
from brand_voice.brand import load_brand
from brand_voice.context import Context
from brand_voice.evidence import MEASURES, Difference
from brand_voice.gate import BASE, Terms, gate
from brand_voice.loop import student_of
from brand_voice.records import AdapterManifest, Example, content_hash, now
from brand_voice.settings import TrainingSettings
from brand_voice.snapshot import split_of

FIGURES = Path(__file__).parent / "sabotage.json"
"""The differences that were measured; a test asks the gate about them."""
STRANGER = "vela"
"""The other brand."""
GOOD, SHUFFLED, STRANGE, ZEROS = "good", "shuffled", "another brand", "zeros"
CASES = ((GOOD, None), (ZEROS, None), (SHUFFLED, GOOD), (STRANGE, GOOD), (ZEROS, GOOD), (GOOD, ZEROS))
"""Who is evaluated, and who is live meanwhile."""
MADE = "made.json"
"""Which adapter of a workspace is which, so that a second run trains none again."""


def measure(folder: Path, student: str | None, scale: Scale) -> Table:
    """Make the adapters in a workspace of their own, evaluate them, and ask the gate; a full run is kept."""
    training = TrainingSettings(max_steps=scale.spoilt_steps)
    with prepared.workspace(folder, student, training) as context:
        return _judged(context, scale.golden_samples, FIGURES if scale is FULL else None)


def _judged(context: Context, samples: int, out: Path | None) -> Table:
    made = dict(_made(context))
    rows, kept = [], []
    for kind, live in CASES:
        against = made[live] if live else None
        report = assess(context, Question(made[kind], against or BASE, samples)).report
        adapter = read_manifest(context.workspace.adapters / made[kind], AdapterManifest)
        said = gate(report, Terms(adapter, against, report.golden, report.guide_version))
        differences = {d.measure: d for d in report.differences}
        kept.append(
            {"adapter": kind, "live": live, "passes": said.passes}
            | {"differences": [d.model_dump() for d in report.differences]}
        )
        verdict = "passes" if said.passes else "refused"
        rows.append([kind, live or BASE, *(_cell(differences.get(m)) for m in MEASURES), verdict])
    if out is not None:
        out.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    return Table(
        "Promotion gate: spoilt adapters",
        ["adapter", "against", *MEASURES, "gate"],
        rows,
        notes=[
            f"Adapters of the shipped student for {prepared.BRAND}, {report.differences[0].briefs} golden briefs, "
            f"{samples} texts each; candidate less reference in points, with the 95% interval. *shuffled*: trained on "
            f"every text under another brief; *another brand*: on {STRANGER}'s pairs; *zeros*: the good one's weights "
            "set to zero."
        ],
    )


def _made(context: Context) -> Iterator[tuple[str, str]]:
    """The adapters by kind; each is made once."""
    path = context.workspace.root / MADE
    known = json.loads(path.read_text()) if path.is_file() else {}
    for kind, make in _kinds(context).items():
        if kind not in known:
            context.notify(f"making the adapter: {kind}")
            known[kind] = make(known).name
            path.write_text(json.dumps(known))
        yield kind, known[kind]


def _kinds(context: Context) -> dict[str, Callable[[dict[str, str]], AdapterManifest]]:
    pairs = prepared.pairs(context)
    shuffled = random.Random(0).sample(list(pairs.train), len(pairs.train))
    mixed = [e.model_copy(update={"text": other.text}) for e, other in zip(pairs.train, shuffled, strict=True)]

    def trained(examples: Sequence[Example]) -> Callable[[dict[str, str]], AdapterManifest]:
        return lambda _known: _train(context, examples)

    return {
        GOOD: trained(pairs.train),
        SHUFFLED: trained(mixed),
        STRANGE: trained(_strange(context)),
        ZEROS: lambda known: _zeros(context.workspace.adapters, known[GOOD]),
    }


def _train(context: Context, examples: Sequence[Example]) -> AdapterManifest:
    return distill.distill(
        context.brand.guide,
        prepared.pairs(context)._replace(train=examples),
        student_of(context.settings),
        context.settings.training,
        parent=context.workspace.adapters,
        on_step=lambda *_: None,
    )


def _strange(context: Context) -> list[Example]:
    """The other brand's approved training pairs in channels that this brand has too."""
    folder = load_brand(STRANGER)
    briefs = {brief.id: brief for brief in folder.briefs}
    found = [(briefs[r.brief_id], r) for r in folder.reviews if r.final_text and r.verdict != "reject"]
    sides = [(brief, review, split_of(brief, is_unseen=folder.is_unseen(brief))) for brief, review in found]
    return [
        Example(brief=brief, text=review.final_text or "", draft_id=brief.id, verdict="approve", split="train")
        for brief, review, split in sides
        if split == "train" and brief.channel in context.brand.guide.channels
    ]


def _zeros(parent: Path, good: str) -> AdapterManifest:
    """An adapter whose weights are zero: it writes what the base writes."""
    import torch
    from safetensors.torch import load_file, save_file

    manifest = read_manifest(parent / good, AdapterManifest)
    name = f"{manifest.brand}@{now()[:10]}-{content_hash([good, 'zeros'])[:8]}"
    with building(parent / name) as folder:
        shutil.copytree(parent / good, folder, dirs_exist_ok=True)
        weights = load_file(folder / "adapter_model.safetensors")
        save_file(
            {key: torch.zeros_like(value) for key, value in weights.items()}, folder / "adapter_model.safetensors"
        )
        changed = {"name": name, "created_at": now(), "files": file_hashes(folder)}
        manifest = manifest.model_copy(update=changed)
        write_manifest(folder, manifest)
    return manifest


def _cell(difference: Difference | None) -> str:
    if difference is None:
        return "-"
    return f"{100 * difference.change:+.1f} ({100 * difference.low:+.1f} to {100 * difference.high:+.1f})"
