"""The golden set: a brand's held-out briefs, frozen, so that every adapter is asked the same, and what it never saw.

An artifact like a snapshot: hashed, never changed, found again by its manifest. Briefs that a brand gets later enter
no golden set by themselves, because a set that grows measures each adapter on something else; a new version is frozen
when somebody asks for one, and what is the same already is never frozen twice.

An adapter that saw a golden brief, or a text like the one approved for it, is refused: its figures would be flattered.
It does not know who writes, nor how a brief comes to be held out.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from brand_voice.artifacts import (
    MANIFEST,
    building,
    file_hashes,
    find_manifests,
    read_manifest,
    verify,
    write_manifest,
)
from brand_voice.errors import ArtifactError, InputError
from brand_voice.records import Approved, Brief, Example, Record, Split, content_hash, now
from brand_voice.screen.similar import masked, nearest

HELD_OUT: tuple[Split, ...] = ("test", "unseen_product")
"""The splits that golden briefs come from."""
LEAKAGE_THRESHOLD = 0.85
"""Similarity of masked texts from which a training text gives a golden one away."""
NAMED = 5
"""Leaks that an error names."""
_BRIEFS = "briefs.jsonl"


class GoldenBrief(Record):
    """A held-out brief and why it is one."""

    brief: Brief
    split: Split


class GoldenManifest(Record):
    """What a golden set holds; written last, so that a folder without it is none."""

    name: str
    """`<brand>@<date>-<hash>`; never reused."""
    brand: str
    created_at: str
    counts: dict[str, int]
    """Briefs per split."""
    files: dict[str, str]
    """SHA-256 per file."""


def freeze(brand_id: str, held_out: Iterable[GoldenBrief], parent: Path) -> GoldenManifest:
    """Write a golden set below `parent`, or return the one that holds exactly these briefs.

    Raises:
        InputError: no brief is held out.
    """
    by_hash = {each.brief.hash: each for each in held_out}
    briefs = [by_hash[key] for key in sorted(by_hash)]
    if not briefs:
        raise InputError(
            f"{brand_id} has no held-out briefs to evaluate on",
            remedy="add briefs: a fifth of them, by hash, and all of products marked unseen_product are held out",
        )
    content = content_hash([[each.brief.hash, each.split] for each in briefs])
    for folder in sorted(parent.glob(f"{brand_id}@*-{content[:8]}")):
        if (folder / MANIFEST).is_file():
            return read_manifest(folder, GoldenManifest)
    created_at = now()
    name = f"{brand_id}@{created_at[:10]}-{content[:8]}"
    with building(parent / name) as folder:
        lines = [each.model_dump_json() + "\n" for each in briefs]
        (folder / _BRIEFS).write_text("".join(lines), encoding="utf-8")
        manifest = GoldenManifest(
            name=name,
            brand=brand_id,
            created_at=created_at,
            counts=dict(sorted(Counter(each.split for each in briefs).items())),
            files=file_hashes(folder),
        )
        write_manifest(folder, manifest)
    return manifest


def newest(parent: Path, brand_id: str) -> GoldenManifest | None:
    """The brand's newest golden set; none before the first evaluation."""
    found = [m for m in find_manifests(parent, GoldenManifest) if m.brand == brand_id]
    return found[-1] if found else None


def load(folder: Path) -> tuple[GoldenBrief, ...]:
    """Read a golden set's briefs, in the order of their hashes.

    Raises:
        ArtifactError: no finished golden set there, or a file was changed after it was frozen.
    """
    verify(folder, read_manifest(folder, GoldenManifest).files)
    lines = (folder / _BRIEFS).read_text(encoding="utf-8").split("\n")
    return tuple(GoldenBrief.model_validate_json(line) for line in lines if line)


def check_leakage(golden: Sequence[GoldenBrief], approved: Iterable[Approved], train: Sequence[Example]) -> None:
    """Refuse an adapter that was trained on what it is asked.

    Args:
        golden: the briefs it will be asked.
        approved: the brand's approved copy; that for golden briefs is looked for in the training texts.
        train: what the adapter was trained on.

    Raises:
        ArtifactError: a golden brief stands among the training pairs, as it is or all but so, or a training text is a
            near-duplicate of a text approved for one; names the briefs.
    """
    asked = {each.brief.hash: each.brief for each in golden}
    trained = {example.brief.hash: example.brief for example in train}
    leaks = [f"{asked[key].id} was trained on" for key in asked if key in trained]
    leaks += _similar_briefs(asked, trained)
    texts = [masked(example.text, example.brief) for example in train]
    for draft, brief, review in approved:
        if brief.hash not in asked or brief.hash in trained or not review.final_text:
            continue
        near = nearest(masked(review.final_text, brief), texts)
        if near and near[1] >= LEAKAGE_THRESHOLD:
            twin = train[near[0]].brief.id
            leaks.append(f"{brief.id}: a training text ({twin}) is {near[1]:.0%} like one approved for it ({draft.id})")
    if leaks:
        named = "; ".join(dict.fromkeys(leaks[:NAMED])) + (f"; and {len(leaks) - NAMED} more" if leaks[NAMED:] else "")
        brand = golden[0].brief.brand
        raise ArtifactError(
            f"the adapter's training data holds golden briefs: {named}",
            remedy=f"freeze without them and train again: brand-voice snapshot --brand {brand}, then distill",
        )


def _similar_briefs(asked: dict[str, Brief], trained: dict[str, Brief]) -> list[str]:
    """Golden briefs that ask, all but a few letters, for what a training brief of the same product and channel asks."""
    known: dict[tuple[str, ...], list[Brief]] = {}
    for brief in trained.values():
        known.setdefault(_place(brief), []).append(brief)
    leaks = []
    for key, brief in asked.items():
        twins = [] if key in trained else known.get(_place(brief), [])
        near = nearest(_wish(brief), [_wish(twin) for twin in twins])
        if near and near[1] >= LEAKAGE_THRESHOLD:
            leaks.append(f"{brief.id} is {near[1]:.0%} like the training brief {twins[near[0]].id}")
    return leaks


def _place(brief: Brief) -> tuple[str, ...]:
    return brief.channel, brief.locale, brief.product.name.lower()


def _wish(brief: Brief) -> str:
    """What a brief wants said; a product's facts, which all its briefs share, are left out."""
    said = (brief.key_message, brief.offer, brief.occasion, brief.audience)
    return masked("\n".join(filter(None, said)), brief)
