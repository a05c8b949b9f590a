"""Adapters, found through their manifests, and the reports on them: what is there, what is live, is it whole.

A name is never reused. The alias `<brand>` stands for the adapter that is live; which one that is says the store, so
whoever means "the brand's adapter" brings the standing along.

A report's folder is named after the hash of its file, the date included: which one is the newest decides, so that
neither a figure nor the date can be changed and go unseen.
"""

import hashlib
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
    """Folders whose report is damaged, was changed, or is of a version that reported less."""

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
        manifest = named(parent, brand, wanted)
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


def named(parent: Path, brand: str, name: str | None) -> AdapterManifest:
    """The manifest of a brand's adapter, the newest without a name; whether it can be used is `find`'s to say.

    It is read alone, so that another one's damage is not its own.

    Raises:
        ArtifactError: there is none.
    """
    if name and Path(name).name == name and (parent / name / MANIFEST).is_file():
        manifest = read_manifest(parent / name, AdapterManifest)
        if manifest.brand == brand:
            return manifest
    known = adapters(parent, brand)
    if known and name is None:
        return known[-1]
    listed = ", ".join(m.name for m in known) or "none"
    wanted = f"adapter {name!r}" if name else "adapter"
    remedy = f"brand-voice {'adapters' if known else 'distill'} --brand {brand}"
    raise ArtifactError(f"no {wanted} of {brand}; there are: {listed}", remedy=remedy)


def as_filed(report: Report) -> tuple[str, str]:
    """The name of a report's folder, and the text of its file, which the name hashes."""
    text = report.model_dump_json(indent=1) + "\n"
    return _folder(report, text.encode()), text


def _folder(report: Report, content: bytes) -> str:
    return f"{report.adapter}-{hashlib.sha256(content).hexdigest()[:8]}"


def reports(parent: Path, brand: str) -> Reports:
    """All reports of evaluations on a brand's adapters; a file that is none, or is no longer what it was, is named."""
    filed, unreadable = [], []
    for path in sorted(parent.glob(f"*/{REPORT}")):
        try:
            content = path.read_bytes()
            report = Report.model_validate_json(content)
        except (ValidationError, OSError):
            unreadable.append(path.parent.name)
            continue
        if path.parent.name == _folder(report, content):
            filed.append(Filed(path.parent.name, report))
        else:
            unreadable.append(path.parent.name)
    ours = sorted((each for each in filed if each.report.brand == brand), key=lambda each: each.report.created_at)
    return Reports(tuple(ours), tuple(unreadable))
