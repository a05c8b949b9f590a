"""The workspace: the one folder that holds everything that changes."""

from pathlib import Path
from typing import NamedTuple


class Workspace(NamedTuple):
    """Paths of a workspace; nothing is created until somebody writes."""

    root: Path

    @property
    def database(self) -> Path:
        """SQLite file."""
        return self.root / "brand_voice.db"

    @property
    def brands(self) -> Path:
        """The user's brands; one here shadows a shipped brand of the same id."""
        return self.root / "brands"

    @property
    def snapshots(self) -> Path:
        """Frozen datasets, one folder each."""
        return self.root / "snapshots"

    @property
    def adapters(self) -> Path:
        """Adapters, one folder each, found through their manifests."""
        return self.root / "adapters"

    @property
    def merged(self) -> Path:
        """Merged models: a cache, safe to delete."""
        return self.root / "merged"

    @property
    def golden(self) -> Path:
        """Golden sets, one folder each: briefs that decide promotions and are never trained on."""
        return self.root / "golden"

    @property
    def samples(self) -> Path:
        """Texts asked for to be measured, a file a writer; without them a report asks again."""
        return self.root / "samples"

    @property
    def calibrations(self) -> Path:
        """What each adapter's certainty is worth: one file an adapter."""
        return self.root / "calibrations"

    @property
    def evaluations(self) -> Path:
        """Reports."""
        return self.root / "evaluations"

    @property
    def server_file(self) -> Path:
        """Address and key of the running student server, readable by its owner alone."""
        return self.root / "server.json"

    @property
    def server_log(self) -> Path:
        """What the student server printed."""
        return self.root / "server.log"

    @property
    def settings_file(self) -> Path:
        """Optional settings."""
        return self.root / "brand_voice.toml"
