"""A workspace's models without a training: adapters with curves, reports on them, drafts with verdicts."""

import json
from pathlib import Path

from brand_voice.artifacts import file_hashes, write_manifest
from brand_voice.brand import BrandFolder
from brand_voice.evidence import Decision, Difference, Measure, Report
from brand_voice.prompts import student_prompt_hash
from brand_voice.records import AdapterManifest, Draft, Review
from brand_voice.registry import as_filed
from brand_voice.store.store import Store
from brand_voice.workspace import Workspace

BELOW: dict[Measure, float] = {"all_pass": 0.0, "truth": 0.02, "voice": 0.2, "diversity": 0.1}
"""How far each measure lies below the share a report is filed under."""


def shelve(workspace: Workspace, number: int, *, said: str = "", **changes: str) -> AdapterManifest:
    """Put an adapter there as training leaves it, but without weights; higher numbers are newer."""
    brand = changes.get("brand", "tidewater")
    name = changes.get("name") or f"{brand}@2026-01-{number:02}-0000000{number}{'<i>' if said else ''}"
    folder = workspace.adapters / name
    folder.mkdir(parents=True)
    rows = [{"loss": 2.4 - 0.2 * number - step / 50, "step": step} for step in range(5, 31, 5)]
    rows += [{"eval_loss": 2.3 - 0.2 * number - step / 60, "step": step} for step in (10, 20, 30)]
    (folder / "curve.json").write_text(json.dumps(rows))
    manifest = AdapterManifest(
        name=name,
        brand=brand,
        student=said or "base-student",
        student_hash="0" * 16,
        snapshot=changes.get("snapshot") or f"{brand}@2026-01-{number:02}-5a9{said}",
        guide_version="f" * 16,
        voice_line=said or "warm",
        prompt_hash=student_prompt_hash(),
        training={"epochs": 3, "steps": 30, "pairs": 100 * number, "learning_rate": 0.002, "lora_rank": 16},
        metrics={"seconds": 75.8, "validation_loss": 1.8 - 0.2 * number},
        versions={},
        files=file_hashes(folder),
        created_at=f"2026-01-{number:02}T09:00:00+00:00",
    )
    write_manifest(folder, manifest)
    return manifest


def file_report(workspace: Workspace, adapter: str, decision: Decision, share: float, *, said: str = "") -> Path:
    """File a report on an adapter; each call is newer than the one before."""
    number = len(list(workspace.evaluations.glob("*")))
    report = Report(
        brand=adapter.partition("@")[0],
        adapter=adapter,
        against="teacher",
        golden=f"tidewater@2026-01-01-0f{said}",
        decided_before=2,
        snapshot="s",
        guide_version="f" * 16,
        created_at=f"2026-02-01T10:00:{number:02}+00:00",
        samples=3,
        decision=decision,
        sentence=said or f"{share:.0%} of its texts pass, the teacher's 96%.",
        exceptions=(said or "unseen products: 12 points below",),
        differences=tuple(_difference(measure, share - below) for measure, below in BELOW.items()),
        sides=(),
        slices=(),
        voice_accuracy=None,
    )
    name, text = as_filed(report)
    folder = workspace.evaluations / name
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(text)
    (folder / "report.html").write_text(f"<!doctype html><title>Report</title><p>{report.sentence}")
    return folder


def _difference(measure: Measure, share: float) -> Difference:
    change = share - 0.9
    return Difference(
        measure=measure,
        candidate=share,
        reference=0.9,
        low=change - 0.04,
        high=change + 0.04,
        margin=0.05,
        briefs=100,
    )


def review_texts(store: Store, brand: BrandFolder, adapter: str | None, approved: int, rejected: int = 0) -> None:
    """Store recorded texts as an adapter's, or a teacher's, with a verdict each."""
    texts = {recording.brief_id: recording.text for recording in brand.recordings}
    store.save_brand_briefs(brand.briefs)
    for number, brief in enumerate(brand.briefs[: approved + rejected]):
        draft = Draft(
            id=f"{adapter}-{number}",
            brand=brief.brand,
            brief_id=brief.id,
            brief_hash=brief.hash,
            author="student" if adapter else "teacher",
            model=adapter or "m",
            adapter=adapter,
            text=texts.get(brief.id, brief.key_message),
            distillation_permitted=True,
        )
        store.save_draft(draft)
        if number < approved:
            verdict = Review(draft_id=draft.id, revision=1, verdict="approve", final_text=draft.text, reviewer="Mia")
        else:
            verdict = Review(draft_id=draft.id, revision=1, verdict="reject", reasons=("other",), reviewer="Mia")
        store.add_review(verdict)
