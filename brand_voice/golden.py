"""The golden set: a brand's held-out briefs, frozen, so that every adapter is asked the same, and what it never saw.

An artifact like a snapshot: hashed, never changed, found again by its manifest. Briefs that a brand gets later enter
no golden set by themselves, because a set that grows measures each adapter on something else; a new version is frozen
when somebody asks for one, and what is the same already is never frozen twice.

An adapter that saw a golden brief, or a text like the one approved for it, is refused: its figures would be flattered.
It does not know who writes, nor how a brief comes to be held out.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from pydantic import Field

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
from brand_voice.leakage import leaks
from brand_voice.records import Approved, Brief, Example, Record, Split, content_hash, now

HELD_OUT: tuple[Split, ...] = ("test", "unseen_product")
"""The splits that golden briefs come from."""
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
    left_out: dict[str, int] = Field(default_factory=dict)
    """Held-out briefs that were not taken, by reason."""


def freeze(
    brand_id: str, held_out: Iterable[GoldenBrief], parent: Path, *, channels: Collection[str] | None = None
) -> GoldenManifest:
    """Write a golden set below `parent`, or return the one that holds exactly these briefs.

    Briefs of a channel that is not among `channels`, where these are given, are left out and counted.

    Raises:
        InputError: no brief is held out.
    """
    everything = {each.brief.hash: each for each in held_out}
    by_hash = {key: each for key, each in everything.items() if channels is None or each.brief.channel in channels}
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
            left_out={"channel_gone": gone} if (gone := len(everything) - len(by_hash)) else {},
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
        ArtifactError: a training pair gives a golden brief away (`leakage`); names the briefs.
    """
    found = [each.said for each in leaks(train, (each.brief for each in golden), approved)]
    told = list(dict.fromkeys(found))
    if told:
        named = "; ".join(told[:NAMED]) + (f"; and {len(told) - NAMED} more" if told[NAMED:] else "")
        brand = golden[0].brief.brand
        raise ArtifactError(
            f"the adapter's training data holds golden briefs: {named}",
            remedy=f"freeze without them and train again: brand-voice snapshot --brand {brand}, then distill",
        )


def check_channels(golden: Sequence[GoldenBrief], channels: Collection[str]) -> None:
    """Refuse a golden set that nobody can be asked any more.

    Raises:
        ArtifactError: a brief is of a channel that the guide no longer has.
    """
    gone = {each.brief.channel for each in golden} - set(channels)
    if gone:
        brand = golden[0].brief.brand
        raise ArtifactError(
            f"the golden set asks for channels that the guide no longer has: {', '.join(sorted(gone))}",
            remedy=f"brand-voice evaluate --brand {brand} --new-golden, or put them back into the guide",
        )
