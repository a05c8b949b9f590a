"""Edits as preferences: TRL's DPOTrainer trains an adapter further, the edited text over the one it was made from.

Off by default. R. Rafailov et al. 2023, "Direct Preference Optimization": the adapter learns to find the edited text
likelier than the original, measured from what it was before; `beta` says how firmly it is held to that. What it was
before is the adapter that distillation made, never the bare base, which could not write at all. DPO can lower
diversity (arXiv 2510.15061), so what it makes is an adapter of its own, to be set beside the one it came from.

Only edits of the snapshot's training split count. Prompt and completions are tokenised as in distillation.
"""

import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from brand_voice.distill import OnStep, completion_ids, load_student, progress, prompt_ids, save
from brand_voice.errors import InputError, TrainingError
from brand_voice.guide import Brand
from brand_voice.merge import find_base, usable_adapter
from brand_voice.prompts import student_prompt_hash
from brand_voice.records import AdapterManifest, Brief, Draft, Example, content_hash, now
from brand_voice.settings import PreferenceSettings

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase
    from trl import DPOConfig, DPOTrainer

REFERENCE = "ref"
"""What TRL calls the frozen copy of the adapter that it trains against."""


class Pair(NamedTuple):
    """One edit."""

    brief: Brief
    chosen: str
    """The edited text."""
    rejected: str
    """The text as it was written."""


class Start(NamedTuple):
    """Where a run begins."""

    adapter: AdapterManifest
    """What is trained further, and held to."""
    student: str
    """Folder or hub id of the base it was made for."""
    pairs: Sequence[Pair]


def pairs_of(examples: Iterable[Example], drafts: Mapping[str, Draft]) -> list[Pair]:
    """The edits among training pairs; `drafts` holds what was edited, by id."""
    edits = (e for e in examples if e.split == "train" and e.verdict == "edit" and e.draft_id in drafts)
    return [Pair(e.brief, e.text, drafts[e.draft_id].text) for e in edits]


def check_pairs(pairs: Sequence[Pair], settings: PreferenceSettings) -> None:
    """Refuse too few edits.

    Raises:
        InputError: there are fewer than the settings want.
    """
    if len(pairs) < settings.min_pairs:
        raise InputError(
            f"{len(pairs)} edits in the training split; DPO wants {settings.min_pairs}",
            remedy="edit drafts in review rather than rejecting them, or lower preference.min_pairs",
        )


def prefer(
    guide: Brand, start: Start, settings: PreferenceSettings, *, max_length: int, parent: Path, on_step: OnStep
) -> AdapterManifest:
    """Train an adapter further on edits; returns the manifest of the new one, below `parent` beside the old one.

    Raises:
        InputError: there are too few edits, or a pair is too long.
        ArtifactError: the adapter does not fit the student, or the student cannot be loaded.
        TrainingError: the loss is not a number, or the reference moved.
    """
    started = time.monotonic()
    check_pairs(start.pairs, settings)
    base = find_base(start.student)
    usable_adapter(parent / start.adapter.name, base, prompt_hash=student_prompt_hash())
    trainer = _trainer(guide, start, settings, max_length=max_length, parent=parent, on_step=on_step)
    before = _reference(trainer.model)
    trainer.train()
    if _reference(trainer.model) != before:
        raise TrainingError("the reference adapter was trained too", remedy="use the pinned versions of trl and peft")
    curve = [row for row in trainer.state.log_history if "loss" in row]
    identity = [start.adapter.name, settings.model_dump(), now()]
    further = {"kind": "dpo", "adapter": start.adapter.name, "pairs": len(start.pairs)}
    manifest = start.adapter.model_copy(
        update={
            "name": f"{guide.id}@{now()[:10]}-{content_hash(identity)[:8]}",
            "training": start.adapter.training
            | {"preference": settings.model_dump() | further | {"steps": trainer.state.global_step}},
            "metrics": _metrics(curve, start.adapter, seconds=time.monotonic() - started),
            "versions": {p: version(p) for p in start.adapter.versions},
            "files": {},
            "created_at": now(),
        }
    )
    return save(trainer.model, guide, manifest, curve, parent) if trainer.accelerator.is_main_process else manifest


def _trainer(
    guide: Brand, start: Start, settings: PreferenceSettings, *, max_length: int, parent: Path, on_step: OnStep
) -> "DPOTrainer":
    """TRL's trainer on the adapter; TRL adds a frozen copy of it as the reference."""
    from datasets import Dataset
    from peft import PeftModel
    from transformers.trainer_callback import PrinterCallback
    from trl import DPOTrainer

    class AsTokenised(DPOTrainer):  # type: ignore[misc]  # trl is untyped here
        """Takes rows of ids: TRL 1.16 would tokenise text again, prompt and completion as one string."""

        def _prepare_dataset(self, dataset: Dataset, *_: object) -> Dataset:
            return dataset

    model, tokenizer = load_student(find_base(start.student).path)
    tuned = PeftModel.from_pretrained(model, parent / start.adapter.name, is_trainable=True)
    trainer = AsTokenised(
        model=tuned,
        args=_config(settings, seed=int(start.adapter.training.get("seed", 0))),
        processing_class=tokenizer,
        train_dataset=Dataset.from_list(_rows(tokenizer, guide, start.pairs, max_length)),
        callbacks=[progress(on_step)],
    )
    trainer.remove_callback(PrinterCallback)
    if REFERENCE not in trainer.model.peft_config:
        raise TrainingError("TRL made no reference of the adapter", remedy="use the pinned versions of trl and peft")
    return trainer


def _rows(
    tokenizer: "PreTrainedTokenizerBase", guide: Brand, pairs: Sequence[Pair], max_length: int
) -> list[dict[str, list[int]]]:
    rows = [
        {
            "prompt_ids": prompt_ids(tokenizer, guide, pair.brief),
            "chosen_ids": completion_ids(tokenizer, pair.chosen),
            "rejected_ids": completion_ids(tokenizer, pair.rejected),
        }
        for pair in pairs
    ]
    longest = max(len(r["prompt_ids"]) + max(len(r["chosen_ids"]), len(r["rejected_ids"])) for r in rows)
    if longest > max_length:
        raise InputError(
            f"the longest edit has {longest} tokens, over {max_length}",
            remedy=f"set training.max_length to {longest} or more",
        )
    return rows


def _config(settings: PreferenceSettings, *, seed: int) -> "DPOConfig":
    import torch
    from trl import DPOConfig

    has_gpu = torch.cuda.is_available()
    return DPOConfig(
        output_dir=tempfile.gettempdir(),  # nothing is written to it
        beta=settings.beta,
        learning_rate=settings.learning_rate,
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch_size,
        lr_scheduler_type="cosine",
        gradient_checkpointing=False,
        max_length=None,
        bf16=True,
        use_cpu=not has_gpu,
        dataloader_pin_memory=has_gpu,
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=seed,
    )


def _reference(model: "PeftModel") -> float:
    """A sum over the frozen copy's weights: equal before and after, or something trained it."""
    return sum(float(w.double().abs().sum()) for name, w in model.named_parameters() if f".{REFERENCE}." in name)


def _metrics(curve: list[dict[str, float]], adapter: AdapterManifest, *, seconds: float) -> dict[str, float]:
    """The figures of the last quarter of the run: single batches differ too much; `seconds` are of both trainings."""
    last = curve[-max(1, len(curve) // 4) :]
    names = {"loss": "preference_loss", "rewards/accuracies": "preference_accuracy", "rewards/margins": "margin"}
    found = {told: round(sum(row[key] for row in last) / len(last), 4) for key, told in names.items() if last}
    together = adapter.metrics.get("seconds", 0.0) + seconds
    return {"seconds": round(together, 1), "preference_seconds": round(seconds, 1)} | found
