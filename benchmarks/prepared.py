"""A workspace as a user's would be after the loop: recorded drafts, reviews, a snapshot and an adapter.

Each step is the one its command calls and keeps what is there, so that a workspace given twice is prepared once.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from brand_voice import loop, snapshot
from brand_voice.artifacts import read_manifest
from brand_voice.cli.shell import opened, step_bar
from brand_voice.context import Context
from brand_voice.distill import Snapshot
from brand_voice.records import AdapterManifest, SnapshotManifest
from brand_voice.registry import adapters, find
from brand_voice.settings import Settings, TrainingSettings

BRAND = "tidewater"


@contextmanager
def workspace(folder: Path, student: str | None, training: TrainingSettings) -> Iterator[Context]:
    """Open a workspace with a frozen snapshot of the recorded, reviewed copy."""
    settings = Settings(student=student, training=training)
    with opened(folder, BRAND, settings) as context:
        prepare(context)
        yield context


def prepare(context: Context) -> None:
    """Do what stands before training: recorded drafts, screening, recorded reviews, a snapshot."""
    loop.write_drafts(context, loop.Ask())
    loop.screen_drafts(context)
    loop.apply_recorded_reviews(context)
    loop.freeze(context)


def pairs(context: Context) -> Snapshot:
    """The newest snapshot's training and validation pairs."""
    folder = snapshot.newest(context.workspace.snapshots, BRAND)
    manifest = read_manifest(folder, SnapshotManifest)
    return Snapshot(manifest, snapshot.load(folder, "train"), snapshot.load(folder, "validation"))


def adapter(context: Context, notify: Callable[[str], None]) -> AdapterManifest:
    """The newest adapter; one is trained where there is none."""
    parent = context.workspace.adapters
    if not adapters(parent, BRAND):
        notify("no adapter yet: training one to write with")
        with step_bar("distill") as on_step:
            loop.train(context, snapshot_name=None, on_step=on_step)
    return find(parent, BRAND)
