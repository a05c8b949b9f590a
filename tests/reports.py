"""Adapters without weights, and reports on them as an evaluation would file them, with differences of our choosing."""

from pathlib import Path

from brand_voice.artifacts import file_hashes, write_manifest
from brand_voice.evidence import Difference, Measure, Report
from brand_voice.prompts import student_prompt_hash
from brand_voice.records import AdapterManifest
from brand_voice.registry import as_filed

NO_WORSE = {"all_pass": (0.0, 0.05), "truth": (0.0, 0.02), "voice": (0.0, 0.05), "diversity": (0.0, 0.01)}
"""Per measure, the change and half of its interval's width."""
BETTER = NO_WORSE | {"voice": (0.15, 0.05)}
MARGINS = {"all_pass": 0.05, "truth": 0.03, "voice": 0.05, "diversity": 0.05}


def difference(measure: Measure, change: float, half: float) -> Difference:
    return Difference(
        measure=measure,
        candidate=0.6 + change,
        reference=0.6,
        low=change - half,
        high=change + half,
        margin=MARGINS[measure],
        briefs=142,
    )


def an_adapter(adapters: Path, name: str, **fields: object) -> AdapterManifest:
    """An adapter of tidewater, made at a minute that its name ends on; `adapters` gets its folder."""
    folder = adapters / name
    folder.mkdir(parents=True)
    (folder / "adapter_model.safetensors").write_text(name)
    known = {
        "name": name,
        "brand": "tidewater",
        "student": "base-student",
        "student_hash": "h",
        "snapshot": "s",
        "guide_version": "g",
        "voice_line": "v",
        "prompt_hash": student_prompt_hash(),
        "training": {},
        "metrics": {},
        "versions": {},
        "files": file_hashes(folder),
        "created_at": f"2026-11-22T00:{name[-2:]}:00+00:00",
    }
    manifest = AdapterManifest.model_validate(known | fields)
    write_manifest(folder, manifest)
    return manifest


def a_report(changes: dict[Measure, tuple[float, float]] = BETTER, **fields: object) -> Report:
    """A report on an adapter of tidewater against the base."""
    known = {
        "brand": "tidewater",
        "adapter": "tidewater@01",
        "against": "base",
        "golden": "golden-1",
        "decided_before": 0,
        "snapshot": "s",
        "guide_version": "g",
        "created_at": "2026-11-23T00:00:00+00:00",
        "samples": 3,
        "decision": "ready",
        "sentence": "Ready.",
        "exceptions": (),
        "differences": tuple(difference(name, *change) for name, change in changes.items()),
        "sides": (),
        "slices": (),
        "voice_accuracy": 0.7,
    }
    return Report.model_validate(known | fields)


def file_report(evaluations: Path, report: Report) -> str:
    """Write a report where an evaluation would; return the name of its folder."""
    folder, text = as_filed(report)
    (evaluations / folder).mkdir(parents=True, exist_ok=True)
    (evaluations / folder / "report.json").write_text(text, encoding="utf-8")
    return folder
