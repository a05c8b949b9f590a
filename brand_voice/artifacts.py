"""Immutable folders whose manifest is written last: no manifest, no artifact.

Snapshots, adapters and merged models are built in a hidden sibling folder, get their manifest (fsync) and are then
renamed into place, so that a kill at any moment leaves either a whole artifact or a folder nobody finds.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from brand_voice.errors import ArtifactError
from brand_voice.records import Record, content_hash

MANIFEST = "manifest.json"
R = TypeVar("R", bound=Record)


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def file_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below `folder`, by relative path, the manifest left out."""
    paths = (p for p in sorted(folder.rglob("*")) if p.is_file() and p.name != MANIFEST)
    return {p.relative_to(folder).as_posix(): file_hash(p) for p in paths}


def weights_hash(model: Path) -> str:
    """Hash of a local model's weights, 16 hex digits: what ties an adapter to the base it was trained on."""
    return content_hash({p.name: file_hash(p) for p in sorted(model.glob("*.safetensors"))})


@contextmanager
def building(target: Path) -> Iterator[Path]:
    """Give a fresh folder to fill; it becomes `target` if the block wrote a manifest, and vanishes if it raised.

    Raises:
        ArtifactError: `target` exists already (artifacts are never overwritten), or no manifest was written.
    """
    if target.exists():
        raise ArtifactError(f"{target} exists already", remedy="artifacts are immutable: use another name")
    partial = target.parent / f".{target.name}.{os.getpid()}"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        if not (partial / MANIFEST).exists():
            raise ArtifactError(f"{target} got no manifest", remedy="this is a bug: report it")
        partial.rename(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def write_manifest(folder: Path, manifest: Record) -> None:
    """Write `manifest.json` as the folder's last file: temporary name, fsync, rename."""
    partial = folder / f".{MANIFEST}"
    with partial.open("w", encoding="utf-8") as stream:
        stream.write(manifest.model_dump_json(indent=2) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    partial.rename(folder / MANIFEST)


def read_manifest(folder: Path, kind: type[R]) -> R:
    """Read and validate a folder's manifest.

    Raises:
        ArtifactError: none there, or it is not a manifest of this kind.
    """
    path = folder / MANIFEST
    try:
        return kind.model_validate_json(path.read_bytes())
    except OSError as exc:
        raise ArtifactError(f"no {MANIFEST} in {folder}", remedy="build it again; what is there is unfinished") from exc
    except ValidationError as exc:
        raise ArtifactError(
            f"{path} is damaged or of another version: {exc.errors()[0]['msg']}",
            remedy=f"move the folder {folder} away, and build it again if it is needed",
        ) from exc


def find_manifests(parent: Path, kind: type[R]) -> list[R]:
    """All finished artifacts below `parent`, oldest first; unfinished folders do not exist."""
    folders = parent.iterdir() if parent.is_dir() else ()
    finished = sorted(f for f in folders if not f.name.startswith(".") and (f / MANIFEST).is_file())
    manifests = [read_manifest(folder, kind) for folder in finished]
    return sorted(manifests, key=lambda m: (getattr(m, "created_at", ""), getattr(m, "name", "")))


def verify(folder: Path, files: dict[str, str]) -> None:
    """Compare a folder's files with the hashes of its manifest.

    Raises:
        ArtifactError: a file is missing or differs.
    """
    for name, expected in files.items():
        path = folder / name
        if not path.is_file() or file_hash(path) != expected:
            raise ArtifactError(
                f"{path} is missing or was changed", remedy="restore it from a backup, or build it again"
            )
