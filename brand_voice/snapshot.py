"""Freeze approved copy into a dataset: split, checked for leakage, hashed, never changed again.

The side of a pair is decided by its brief alone: products marked `unseen_product` are held out whole, the other briefs
go by hash into train, validation and test (68/12/20), so that a brief stays on its side in every later snapshot and
both takes on a brief stand together. What it does not know: who approved the text and why; it takes the store's word.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from brand_voice.artifacts import (
    MANIFEST,
    building,
    file_hash,
    file_hashes,
    find_manifests,
    read_manifest,
    verify,
    write_manifest,
)
from brand_voice.errors import ArtifactError, InputError
from brand_voice.guide import Brand
from brand_voice.leakage import LEAKAGE_THRESHOLD, leaks
from brand_voice.prompts import student_messages
from brand_voice.records import (
    Approved,
    Brief,
    Example,
    SnapshotManifest,
    Split,
    content_hash,
    now,
)
from brand_voice.screen.similar import masked, near_duplicates
from brand_voice.settings import SnapshotSettings
from brand_voice.weighting import is_by_student, surplus, weighted, weights

SPLITS: tuple[Split, ...] = ("train", "validation", "test", "unseen_product")
_RANK: dict[Split, int] = {"train": 0, "validation": 1, "test": 2, "unseen_product": 2}
"""Of two sides that hold the same text the lower one gives way."""
_ASKED = 2
"""The rank of the sides that an adapter is asked about."""


def split_of(brief: Brief, *, is_unseen: bool) -> Split:
    """The side a brief stands on: 68% train, 12% validation, 20% test by hash of its content."""
    if is_unseen:
        return "unseen_product"
    bucket = int(brief.hash, 16) % 100
    return "train" if bucket < 68 else "validation" if bucket < 80 else "test"


def freeze(
    guide: Brand,
    approved: Iterable[Approved],
    unseen_briefs: frozenset[str],
    parent: Path,
    *,
    held_out: Iterable[Brief] = (),
    settings: SnapshotSettings = SnapshotSettings(),  # noqa: B008  # frozen
) -> SnapshotManifest:
    """Write a snapshot below `parent`, or return the one that holds exactly this already.

    `unseen_briefs` holds the hashes of briefs about held-out products. What gives away a brief of `held_out`, or a
    held-out one among those approved, is left out: no evaluation on these refuses who was trained on the snapshot.

    Raises:
        InputError: nothing approved may be trained on.
    """
    taken = {a.draft.id: a for a in approved}
    examples, left_out = _chosen(guide, taken, unseen_briefs, held_out, settings)
    if not any(e.split == "train" for e in examples):
        raise InputError(
            f"no approved copy of {guide.id} to train on; left out: {dict(left_out) or 'nothing'}",
            remedy=f"review drafts first: brand-voice review --brand {guide.id}",
        )
    content = content_hash([guide.version, *(e.model_dump(mode="json", exclude=_unsaid(e)) for e in examples)])
    for folder in sorted(parent.glob(f"{guide.id}@*-{content[:8]}")):
        if (folder / MANIFEST).is_file():
            return read_manifest(folder, SnapshotManifest)
    name = f"{guide.id}@{now()[:10]}-{content[:8]}"
    with building(parent / name) as folder:
        _write(folder, examples)
        counts = Counter(e.split for e in examples)
        manifest = SnapshotManifest(
            name=name,
            brand=guide.id,
            guide_version=guide.version,
            created_at=now(),
            counts={split: counts[split] for split in SPLITS},
            files=file_hashes(folder),
            left_out=dict(left_out),
            reviewers=dict(Counter(taken[e.draft_id].review.reviewer for e in examples)),
            approved_until=max(a.review.created_at for a in taken.values()),
            half_life_days=settings.half_life_days or None,
            student_share=settings.student_share,
            by_student=sum(e.split == "train" and is_by_student(taken[e.draft_id]) for e in examples),
        )
        manifest = _with_card(folder, guide, manifest)
        write_manifest(folder, manifest)
    return manifest


def load(folder: Path, *splits: Split) -> list[Example]:
    """Read a snapshot's examples, all splits or those named.

    Raises:
        ArtifactError: no finished snapshot there, or a file was changed after it was frozen.
    """
    verify(folder, read_manifest(folder, SnapshotManifest).files)
    lines = (line for split in splits or SPLITS for line in _lines(folder / f"{split}.jsonl"))
    return [Example.model_validate_json(line) for line in lines]


def manifests(parent: Path, brand: str) -> list[SnapshotManifest]:
    """The brand's finished snapshots, oldest first."""
    return [m for m in find_manifests(parent, SnapshotManifest) if m.brand == brand]


def newest(parent: Path, brand: str) -> Path:
    """Folder of the brand's newest snapshot.

    Raises:
        ArtifactError: there is none.
    """
    found = manifests(parent, brand)
    if not found:
        raise ArtifactError(f"no snapshot of {brand} yet", remedy=f"brand-voice snapshot --brand {brand}")
    return parent / found[-1].name


def export(folder: Path, guide: Brand, target: Path) -> int:
    """Write prompt, completion and brief of every example: a `.jsonl` file, or else a Hugging Face dataset folder.

    Returns the number of rows.
    """
    rows = [
        {
            "prompt": [m.model_dump() for m in student_messages(guide, example.brief)],
            "completion": [{"role": "assistant", "content": example.text}],
            "split": example.split,
            "verdict": example.verdict,
            "weight": example.weight,
            "brief": example.brief.model_dump_json(),
        }
        for example in load(folder)
    ]
    if target.exists():
        raise InputError(f"{target} exists already", remedy="name a new file or folder")
    if target.suffix == ".jsonl":
        target.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), encoding="utf-8")
        return len(rows)
    from datasets import Dataset, DatasetDict

    by_split = {s: [r for r in rows if r["split"] == s] for s in SPLITS}
    DatasetDict({s: Dataset.from_list(found) for s, found in by_split.items() if found}).save_to_disk(str(target))
    return len(rows)


def _unsaid(example: Example) -> set[str]:
    """A weight of 1 is not written: snapshots from before there were weights keep their hashes."""
    return {"weight"} if example.weight == 1 else set()


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").split("\n") if line]


def _chosen(
    guide: Brand,
    taken: Mapping[str, Approved],
    unseen_briefs: frozenset[str],
    held_out: Iterable[Brief],
    settings: SnapshotSettings,
) -> tuple[list[Example], Counter[str]]:
    """The pairs that a snapshot holds, and what it leaves out, by reason."""
    examples, left_out = _examples(guide, taken.values(), unseen_briefs)
    sides = ((a.brief, split_of(a.brief, is_unseen=a.brief.hash in unseen_briefs)) for a in taken.values())
    asked = [*held_out, *(brief for brief, split in sides if _RANK[split] == _ASKED)]
    examples, leaked = _without_leaks(examples, asked, taken)
    too_many = surplus((taken[e.draft_id] for e in examples if e.split == "train"), settings.student_share)
    examples = [e for e in examples if e.draft_id not in too_many]
    examples = weighted(examples, weights((taken[e.draft_id] for e in examples), settings.half_life_days))
    return examples, left_out + leaked + Counter(beyond_student_share=len(too_many))


def _examples(
    guide: Brand, approved: Iterable[Approved], unseen_briefs: frozenset[str]
) -> tuple[list[Example], Counter[str]]:
    left_out: Counter[str] = Counter()
    examples = []
    for draft, brief, review in approved:
        if review.verdict not in ("approve", "edit") or review.final_text is None:
            continue
        if not draft.distillation_permitted:
            left_out["terms_forbid_training"] += 1
            continue
        if brief.channel not in guide.channels:
            left_out["channel_gone"] += 1
            continue
        examples.append(
            Example(
                brief=brief,
                text=review.final_text,
                draft_id=draft.id,
                verdict=review.verdict,
                split=split_of(brief, is_unseen=brief.hash in unseen_briefs),
            )
        )
    examples.sort(key=lambda e: (e.brief.id, e.draft_id))
    return examples, left_out


def _without_leaks(
    examples: Sequence[Example], asked: Iterable[Brief], taken: Mapping[str, Approved]
) -> tuple[list[Example], Counter[str]]:
    """Drop what gives a held-out brief away, and texts that stand, masked, on a later side too.

    Train gives way to validation, both to the test sides; but a held-out text of the student's gives way to what the
    student learned it from.
    """
    train = [e for e in examples if e.split == "train"]
    given_away = {train[leak.pair].draft_id for leak in leaks(train, asked, taken.values())}
    rest = [e for e in examples if e.draft_id not in given_away]
    recited: set[str] = set()
    for i, j, _ in near_duplicates([masked(e.text, e.brief) for e in rest], LEAKAGE_THRESHOLD):
        first, second = sorted((rest[i], rest[j]), key=lambda e: _RANK[e.split])
        if _RANK[first.split] == _RANK[second.split]:
            continue
        by_first, by_second = taken[first.draft_id].draft.author, taken[second.draft_id].draft.author
        if by_second == "student" != by_first:
            recited.add(second.draft_id)
        else:
            given_away.add(first.draft_id)
    kept = [e for e in rest if e.draft_id not in given_away | recited]
    return kept, Counter(near_duplicate_of_held_out=len(given_away), recites_training=len(recited))


def _write(folder: Path, examples: Sequence[Example]) -> None:
    for split in SPLITS:
        lines = [e.model_dump_json(exclude=_unsaid(e)) + "\n" for e in examples if e.split == split]
        (folder / f"{split}.jsonl").write_text("".join(lines), encoding="utf-8")


def _with_card(folder: Path, guide: Brand, manifest: SnapshotManifest) -> SnapshotManifest:
    """Write the card; return the manifest that holds its hash too."""
    (folder / "README.md").write_text(_card(guide, manifest), encoding="utf-8")
    card = {"README.md": file_hash(folder / "README.md")}
    return manifest.model_copy(update={"files": manifest.files | card})


def _card(guide: Brand, manifest: SnapshotManifest) -> str:
    counts = "\n".join(f"| {split} | {count} |" for split, count in manifest.counts.items())
    left_out = ", ".join(f"{k}: {v}" for k, v in manifest.left_out.items()) or "nothing"
    reviewers = ", ".join(f"{k} ({v})" for k, v in manifest.reviewers.items())
    age = f"counts half after {manifest.half_life_days:g} days" if manifest.half_life_days else "does not count"
    return f"""# {manifest.name}

Approved marketing copy of {guide.name}: briefs and the texts that reviewers approved or edited.

| split | pairs |
|---|---|
{counts}

- Split by hash of the brief; products marked unseen are a split of their own.
- Left out: {left_out}. No text of the training split has similarity {LEAKAGE_THRESHOLD} or more to a held-out one,
  product name, numbers and offer masked.
- An approval's age {age}. The student itself wrote {manifest.by_student} training pairs, approved as they were;
  {manifest.student_share:.0%} of them may be.
- Reviewed by: {reviewers}. A reviewer called "recorded" is a language model's recorded review, not a person.
- Brand guide version {manifest.guide_version}; created {manifest.created_at}.
"""
