"""Adapters, found through their manifests, and the reports on them: what is there, what is live, is it whole.

A name is never reused. The alias `<brand>` stands for the adapter that is live; which one that is says the store, so
whoever means "the brand's adapter" brings the standing along.
"""

from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from brand_voice.artifacts import MANIFEST, find_manifests, read_manifest, verify
from brand_voice.errors import ArtifactError
from brand_voice.evidence import Report
from brand_voice.prompts import student_prompt_hash
from brand_voice.records import AdapterManifest

REPORT = "report.json"


class Filed(NamedTuple):
    """A report and the folder it lies in."""

    folder: str
    """Below `evaluations/`."""
    report: Report


class Reports(NamedTuple):
    """The reports on a brand's adapters."""

    filed: tuple[Filed, ...]
    """Oldest first."""
    unreadable: tuple[str, ...]
    """Folders whose report is damaged, or of a version that reported less."""

    def about(self, adapter: str) -> tuple[Filed, ...]:
        """Those on one adapter, oldest first."""
        return tuple(each for each in self.filed if each.report.adapter == adapter)


def adapters(parent: Path, brand: str | None = None) -> list[AdapterManifest]:
    """All finished adapters, oldest first."""
    return [m for m in find_manifests(parent, AdapterManifest) if brand in (None, m.brand)]


def find(parent: Path, brand: str, name: str | None = None, *, live: str | None = None) -> AdapterManifest:
    """The adapter named; without a name, or under the alias `<brand>`, the one that is live, else the newest.

    Its files are checked against its manifest.

    Raises:
        ArtifactError: there is none, a file was changed, or it was trained on another wording of the prompt.
    """
    wanted = live if name in (None, brand) else name
    try:
        manifest = _named(parent, brand, wanted)
        verify(parent / manifest.name, manifest.files)
    except ArtifactError as exc:
        if live is None or wanted != live:
            raise
        raise ArtifactError(
            f"{live} is live for {brand}, but cannot be used: {exc.message}",
            remedy=f"brand-voice rollback --brand {brand}, or restore the folder from a backup",
        ) from exc
    if manifest.prompt_hash != student_prompt_hash():
        raise ArtifactError(
            f"{manifest.name} was trained on another version of prompts/student.jinja",
            remedy=f"train again: brand-voice distill --brand {brand}",
        )
    return manifest


def _named(parent: Path, brand: str, name: str | None) -> AdapterManifest:
    """A brand's adapter by name, read alone, so that another one's damage is not its own; the newest without one."""
    if name and Path(name).name == name and (parent / name / MANIFEST).is_file():
        manifest = read_manifest(parent / name, AdapterManifest)
        if manifest.brand == brand:
            return manifest
    known = adapters(parent, brand)
    if known and name is None:
        return known[-1]
    listed = ", ".join(m.name for m in known) or "none"
    wanted = f"adapter {name!r}" if name else "adapter"
    raise ArtifactError(f"no {wanted} of {brand}; there are: {listed}", remedy=f"brand-voice distill --brand {brand}")


def reports(parent: Path, brand: str) -> Reports:
    """All reports of evaluations on a brand's adapters; a file that is no report is named and keeps no other back."""
    filed, unreadable = [], []
    for path in sorted(parent.glob(f"*/{REPORT}")):
        try:
            report = Report.model_validate_json(path.read_bytes())
        except (ValidationError, OSError):
            unreadable.append(path.parent.name)
        else:
            filed.append(Filed(path.parent.name, report))
    ours = sorted((each for each in filed if each.report.brand == brand), key=lambda each: each.report.created_at)
    return Reports(tuple(ours), tuple(unreadable))
