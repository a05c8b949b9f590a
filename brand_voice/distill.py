"""Sequence-level distillation: TRL's SFTTrainer trains a LoRA on approved copy, loss on the completion alone.

Prompt and completion are tokenised apart and joined as ids, so a training row begins with exactly the ids that
serving will send (Y. Kim, A. Rush 2016, "Sequence-Level Knowledge Distillation": the student learns the teacher's
texts, not its probabilities). Nothing is truncated: a pair over the limit stops the run. Rank, learning rate and "all
linear layers" follow "LoRA Without Regret" (Thinking Machines Lab, 2025); gradient checkpointing slows small models
down and is off. `benchmarks/distilling.py` lists what each choice saves.
"""

import json
import math
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from brand_voice.artifacts import building, file_hashes, write_manifest
from brand_voice.errors import ArtifactError, InputError, TrainingError
from brand_voice.guide import Brand
from brand_voice.merge import find_base
from brand_voice.prompts import student_messages, student_prompt_hash
from brand_voice.records import AdapterManifest, Brief, Example, SnapshotManifest, content_hash, now
from brand_voice.rename import renamed
from brand_voice.settings import TrainingSettings
from brand_voice.shipped import shipped
from brand_voice.weighting import drawn, is_even

if TYPE_CHECKING:
    from peft import LoraConfig, PeftModel
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from trl import SFTConfig, SFTTrainer

EMBEDDED = "base-student"
"""The student that ships with the package, by its folder's name in `data/`."""
IGNORED = -100
"""The label that carries no loss."""
OnStep = Callable[[int, int, float | None], None]
"""Called with step, total steps and the latest training loss."""


class Row(NamedTuple):
    """One tokenised pair."""

    prompt: list[int]
    completion: list[int]


class Snapshot(NamedTuple):
    """What a run trains on."""

    manifest: SnapshotManifest
    train: Sequence[Example]
    validation: Sequence[Example]


def load_student(student: Path) -> tuple["PreTrainedModel", "PreTrainedTokenizerBase"]:
    """Load a causal LM and its tokenizer from a folder: safetensors only, no remote code.

    Raises:
        ArtifactError: the folder is not a causal language model.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(student, trust_remote_code=False)
        model = AutoModelForCausalLM.from_pretrained(
            student,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=torch.bfloat16,
            # torch 2.13's fused attention takes two and a half times as long as two plain bfloat16 products on a CPU.
            attn_implementation="sdpa" if torch.cuda.is_available() else "eager",
        )
    except (OSError, ValueError, KeyError) as exc:
        first = str(exc).splitlines()[0]
        raise ArtifactError(
            f"{student} is not a causal language model that can be loaded: {first}",
            remedy="give --student a causal language model: a folder or a hub id",
        ) from exc
    return model, tokenizer


def prompt_ids(tokenizer: "PreTrainedTokenizerBase", guide: Brand, brief: Brief) -> list[int]:
    """The ids that the student reads before its answer, the same in training and serving; thinking is off."""
    messages = [m.model_dump() for m in student_messages(guide, brief)]
    ids = tokenizer.apply_chat_template(
        messages, add_generation_prompt=True, enable_thinking=False, tokenize=True, return_dict=False
    )
    return [int(i) for i in ids]


def completion_ids(tokenizer: "PreTrainedTokenizerBase", text: str) -> list[int]:
    """The answer's ids and the token that ends the turn in this chat template."""
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    return [*ids, _turn_end(tokenizer)]


def _turn_end(tokenizer: "PreTrainedTokenizerBase") -> int:
    """The special token the template writes after an assistant's text, else the end-of-sequence token."""
    marker = "copy-ends-here"
    turns = [{"role": "user", "content": "brief"}, {"role": "assistant", "content": marker}]
    rendered = str(tokenizer.apply_chat_template(turns, tokenize=False))
    tail = tokenizer(rendered.rpartition(marker)[2], add_special_tokens=False)["input_ids"]
    specials = set(tokenizer.all_special_ids)
    return next((int(i) for i in tail if i in specials), int(tokenizer.eos_token_id))


def encode(
    tokenizer: "PreTrainedTokenizerBase", guide: Brand, examples: Sequence[Example], *, max_length: int
) -> list[Row]:
    """Tokenise pairs.

    Raises:
        InputError: pairs longer than `max_length` tokens, with their number and the longest.
    """
    rows = [Row(prompt_ids(tokenizer, guide, e.brief), completion_ids(tokenizer, e.text)) for e in examples]
    lengths = [len(r.prompt) + len(r.completion) for r in rows]
    too_long = sum(length > max_length for length in lengths)
    if too_long:
        raise InputError(
            f"{too_long} of {len(rows)} pairs are over {max_length} tokens; the longest has {max(lengths)}",
            remedy=f"set training.max_length to {max(lengths)} or more, or shorten those briefs",
        )
    return rows


def distill(
    guide: Brand, snapshot: Snapshot, student: str, settings: TrainingSettings, *, parent: Path, on_step: OnStep
) -> AdapterManifest:
    """Train one adapter below `parent` and return its manifest.

    Raises:
        ArtifactError: the student cannot be loaded.
        InputError: a pair is too long.
        TrainingError: the loss is not a number.
    """
    started = time.monotonic()
    base = find_base(student)
    model, tokenizer = load_student(base.path)
    renames = is_renaming(student, settings)
    draws = math.ceil(settings.epochs) if renames or not is_even(snapshot.train) else 1
    drawing = (draws, settings.seed)
    pairs = _renamed(guide, snapshot.train, *drawing) if renames else drawn(snapshot.train, *drawing)
    train = encode(tokenizer, guide, pairs, max_length=settings.max_length)
    validation = encode(tokenizer, guide, snapshot.validation, max_length=settings.max_length)
    trainer = _trainer(model, tokenizer, (train, validation), settings, on_step=on_step, draws=draws)
    trainer.train()
    curve = [row for row in trainer.state.log_history if "loss" in row or "eval_loss" in row]
    identity = [snapshot.manifest.name, base.hash, settings.model_dump(), student_prompt_hash(), now()]
    manifest = AdapterManifest(
        name=f"{guide.id}@{now()[:10]}-{content_hash(identity)[:8]}",
        brand=guide.id,
        student=_portable(student),
        student_hash=base.hash,
        snapshot=snapshot.manifest.name,
        guide_version=guide.version,
        voice_line=guide.voice_line,
        prompt_hash=student_prompt_hash(),
        training=settings.model_dump()
        | {"renames": renames, "steps": trainer.state.global_step, "pairs": len(snapshot.train)},
        metrics=_metrics(curve, seconds=time.monotonic() - started),
        versions={p: version(p) for p in ("torch", "transformers", "trl", "peft", "accelerate")},
        files={},
        created_at=now(),
    )
    # Under `accelerate launch` every process gets here; one of them writes.
    return save(trainer.model, guide, manifest, curve, parent) if trainer.accelerator.is_main_process else manifest


def is_renaming(student: str, settings: TrainingSettings) -> bool:
    """Whether later epochs get other names, numbers and offers."""
    is_wanted = settings.renames == "on" or (settings.renames == "auto" and _portable(student) == EMBEDDED)
    return is_wanted and settings.epochs > 1


def _renamed(guide: Brand, examples: Sequence[Example], draws: int, seed: int) -> list[Example]:
    """So many draws of every pair, each with another name, other numbers and another offer; the first as it is."""
    rng = random.Random(seed)
    known: set[str] = set()
    found = []
    for example in drawn(examples, draws, seed):
        if example.draft_id in known:
            limit = guide.channels[example.brief.channel].max_chars
            brief, text = renamed(rng, example.brief, example.text, max_chars=limit)
            found.append(example.model_copy(update={"brief": brief, "text": text}))
        else:
            found.append(example)
            known.add(example.draft_id)
    return found


def save(
    model: "PeftModel", guide: Brand, manifest: AdapterManifest, curve: list[dict[str, float]], parent: Path
) -> AdapterManifest:
    """Write a trained adapter, its curve and its card below `parent`; returns the manifest with its files."""
    with building(parent / manifest.name) as folder:
        # Named, or else the frozen copy that DPO trains against would be written too.
        model.save_pretrained(folder, safe_serialization=True, selected_adapters=["default"])
        _write_curve(folder, curve, "DPO loss" if "preference" in manifest.training else "loss (nats per token)")
        (folder / "README.md").write_text(_card(guide, manifest), encoding="utf-8")
        manifest = manifest.model_copy(update={"files": file_hashes(folder)})
        write_manifest(folder, manifest)
    return manifest


def _portable(student: str) -> str:
    """The shipped student by its name, so that a manifest does not carry a machine's paths."""
    return EMBEDDED if Path(student) == shipped("data") / EMBEDDED else student


def _trainer(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    rows: tuple[Sequence[Row], Sequence[Row]],
    settings: TrainingSettings,
    *,
    on_step: OnStep,
    draws: int = 1,
) -> "SFTTrainer":
    """TRL's trainer for training and validation rows; `draws` of every pair stand for so many epochs."""
    from datasets import Dataset
    from datasets.utils.logging import disable_progress_bar
    from transformers.trainer_callback import PrinterCallback
    from trl import SFTTrainer

    disable_progress_bar()
    has_validation = bool(rows[1])
    trainer = SFTTrainer(
        model=model,
        args=_config(settings, has_validation=has_validation, draws=draws),
        processing_class=tokenizer,
        train_dataset=Dataset.from_list([_columns(r) for r in rows[0]]),
        eval_dataset=Dataset.from_list([_columns(r) for r in rows[1]]) if has_validation else None,
        peft_config=lora_config(settings),
        callbacks=[progress(on_step)],
    )
    trainer.remove_callback(PrinterCallback)
    if trainer.args.use_cpu:
        score_completions_only(trainer.model)
    return trainer


def lora_config(settings: TrainingSettings) -> "LoraConfig":
    """LoRA on all linear layers."""
    from peft import LoraConfig

    return LoraConfig(
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def score_completions_only(model: "PeftModel") -> None:
    """Let the output layer see only the positions that carry loss: a quarter of a batch, the rest is prompt.

    TRL 1.16 does so where it has a Triton kernel; elsewhere it scores every position and sets the prompt's to zero
    (`add_fused_lm_head`). The loss is the same sum over the same tokens. Calls without labels pass unchanged.
    """
    kept: Tensor | None = None  # (B, T-1), whether the next token carries loss

    def take_labels(_module: Any, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        nonlocal kept
        labels = kwargs.pop("labels", None)
        kept = None if labels is None else labels[:, 1:] != IGNORED
        if kept is not None:
            kwargs["shift_labels"] = labels[:, 1:][kept].unsqueeze(0)  # (1, N)
        return args, kwargs

    def drop_prompts(_module: Any, _args: Any, output: Any) -> Any:
        if kept is not None:
            output.last_hidden_state = output.last_hidden_state[:, :-1][kept].unsqueeze(0)  # (1, N, D)
        return output

    model.register_forward_pre_hook(take_labels, with_kwargs=True)
    model.get_base_model().base_model.register_forward_hook(drop_prompts)


def _config(settings: TrainingSettings, *, has_validation: bool, draws: int) -> "SFTConfig":
    """TRL's configuration; what differs from its defaults is what this module's docstring speaks of."""
    import torch
    from trl import SFTConfig

    has_gpu = torch.cuda.is_available()
    return SFTConfig(
        output_dir=tempfile.gettempdir(),  # nothing is written to it
        num_train_epochs=settings.epochs / draws,
        max_steps=settings.max_steps,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=settings.batch_size * 2,
        gradient_accumulation_steps=settings.gradient_accumulation_steps,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=10,
        gradient_checkpointing=False,
        max_length=None,
        bf16=True,
        use_cpu=not has_gpu,
        dataloader_pin_memory=has_gpu,
        eval_strategy="no" if not has_validation else "epoch" if draws == 1 else "steps",
        eval_steps=1 / draws,  # of all steps
        logging_steps=5,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=settings.seed,
    )


def _columns(row: Row) -> dict[str, list[int]]:
    return {"input_ids": row.prompt + row.completion, "labels": [IGNORED] * len(row.prompt) + row.completion}


def progress(on_step: OnStep) -> Any:
    """A callback for a trainer that tells `on_step` of every step.

    Raises:
        TrainingError: (in training) the loss is not a number.
    """
    from transformers import TrainerCallback

    class Progress(TrainerCallback):  # type: ignore[misc]  # transformers is untyped here
        """Tells the shell how far the run is, and stops it when the loss is not a number."""

        latest: float | None = None

        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:
            self.latest = logs.get("loss", self.latest)
            if self.latest is not None and self.latest != self.latest:
                raise TrainingError("the training loss is not a number", remedy="lower training.learning_rate")

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            on_step(state.global_step, state.max_steps, self.latest)

    return Progress()


def _metrics(curve: list[dict[str, float]], *, seconds: float) -> dict[str, float]:
    losses = [row["loss"] for row in curve if "loss" in row]
    evals = [row["eval_loss"] for row in curve if "eval_loss" in row]
    metrics = {"seconds": round(seconds, 1)}
    if losses:
        metrics["train_loss"] = round(losses[-1], 4)
    if evals:
        metrics |= {"validation_loss": round(evals[-1], 4), "best_validation_loss": round(min(evals), 4)}
    return metrics


def _write_curve(folder: Path, curve: list[dict[str, float]], unit: str) -> None:
    """Write the loss curve as `curve.json` and `curve.png`."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib.figure import Figure

    (folder / "curve.json").write_text(json.dumps(curve, indent=1) + "\n", encoding="utf-8")
    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    for key, label in (("loss", "training"), ("eval_loss", "validation")):
        points = [(row["step"], row[key]) for row in curve if key in row]
        if points:
            axes.plot(*zip(*points, strict=True), label=label, marker="o" if key == "eval_loss" else None)
    axes.set(xlabel="step", ylabel=unit)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(folder / "curve.png", dpi=120)


def _card(guide: Brand, manifest: AdapterManifest) -> str:
    further = manifest.training.get("preference")
    edits = f" Then DPO on {further['pairs']} edits, on top of `{further['adapter']}`." if further else ""
    metrics = "\n".join(f"| {k} | {v} |" for k, v in manifest.metrics.items())
    return f"""---
library_name: peft
base_model: {manifest.student}
tags: [lora, brand-voice]
---

# {manifest.name}

A LoRA that writes marketing copy in the voice of {guide.name}: {guide.voice_line}.

Trained with TRL's SFTTrainer on snapshot `{manifest.snapshot}` (approved and edited copy only), loss on the
completion.{edits}
The prompt is `prompts/student.jinja` in the version {manifest.prompt_hash}; another wording will not work as well.
Texts need screening and a person's eye: a small model imitates style more readily than it keeps facts.

| metric | value |
|---|---|
{metrics}

Training: {json.dumps(manifest.training)}
"""
