"""Adapters, found through their manifests: what is there, which is newest, is it whole."""

from pathlib import Path

from brand_voice.artifacts import find_manifests, verify
from brand_voice.errors import ArtifactError
from brand_voice.prompts import student_prompt_hash
from brand_voice.records import AdapterManifest


def adapters(parent: Path, brand: str | None = None) -> list[AdapterManifest]:
    """All finished adapters, oldest first."""
    return [m for m in find_manifests(parent, AdapterManifest) if brand in (None, m.brand)]


def find(parent: Path, brand: str, name: str | None = None) -> AdapterManifest:
    """The brand's newest adapter, or the one named; its files are checked against the manifest.

    Raises:
        ArtifactError: there is none, a file was changed, or it was trained on another wording of the prompt.
    """
    found = [m for m in adapters(parent, brand) if name in (None, m.name)]
    if not found:
        known = ", ".join(m.name for m in adapters(parent, brand)) or "none"
        wanted = f"adapter {name!r}" if name else "adapter"
        raise ArtifactError(
            f"no {wanted} of {brand}; there are: {known}", remedy=f"brand-voice distill --brand {brand}"
        )
    manifest = found[-1]
    verify(parent / manifest.name, manifest.files)
    if manifest.prompt_hash != student_prompt_hash():
        raise ArtifactError(
            f"{manifest.name} was trained on another version of prompts/student.jinja",
            remedy=f"train again: brand-voice distill --brand {brand}",
        )
    return manifest
