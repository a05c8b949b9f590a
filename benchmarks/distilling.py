"""Seconds of training to a fixed validation loss: our recipe against TRL's defaults, and what each difference saves.

Each side trains to its end and is looked at on the way; the target is the higher of the two lowest validation losses,
so that both reach it. Both have the same base student, data, seed, batch size, learning rate, LoRA and bfloat16
autocast; the rest is `SFTConfig`'s defaults on one side (three epochs among them) and ours on the other. Loss is nats
per completion token on the same validation pairs, tokenised and averaged by one function here for both. The clock runs
while steps are trained; loading, tokenising and evaluating are left out.

The ladder climbs from TRL's defaults to ours, one difference at a time, each rung timed on the same pairs.
"""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.report import Table
from benchmarks.scale import Scale
from brand_voice import distill
from brand_voice.context import Context
from brand_voice.guide import Brand
from brand_voice.loop import student_of
from brand_voice.merge import find_base
from brand_voice.prompts import student_messages
from brand_voice.records import Example
from brand_voice.settings import TrainingSettings

if TYPE_CHECKING:
    from trl import SFTTrainer

TRL_EPOCHS = 3.0
"""What `SFTConfig` trains when it is not told."""
EVALUATION_BATCH = 16
WARM_UP_STEPS = 2


class _Recipe(NamedTuple):
    """How a run differs from TRL's defaults; as it stands here it is those defaults."""

    name: str = "TRL's defaults"
    has_checkpointing: bool = True
    is_bf16: bool = False
    """Weights in bfloat16 rather than float32; LoRA's own stay in float32."""
    attention: str | None = None
    scores_completions_only: bool = False
    is_ours: bool = False
    """The trainer that `distill` builds: all of the above, its own tokenising, a cosine schedule with a warm-up."""


class _Data(NamedTuple):
    """What every run trains on and is measured on."""

    guide: Brand
    base: Path
    train: Sequence[Example]
    rows: Sequence[distill.Row]
    """Of the validation pairs."""
    settings: TrainingSettings


class _Point(NamedTuple):
    """A point of a validation curve."""

    seconds: float
    pairs: int
    loss: float


def measure(context: Context, data: distill.Snapshot, scale: Scale) -> list[Table]:
    """Train both ways to the target, then climb the ladder."""
    settings = TrainingSettings(epochs=scale.epochs or TrainingSettings().epochs)
    base = find_base(student_of(context.settings)).path
    _, tokenizer = distill.load_student(base)
    guide, limit = context.brand.guide, settings.max_length
    rows = distill.encode(tokenizer, guide, data.validation[: scale.validation_pairs], max_length=limit)
    shared = _Data(guide, base, data.train[: scale.training_pairs], rows, settings)
    rungs = _ladder()
    every = max(1, len(shared.train) // scale.evaluations)
    ours = _curve(shared, rungs[-1], every)
    theirs = _curve(
        shared._replace(settings=settings.model_copy(update={"epochs": scale.epochs or TRL_EPOCHS})), rungs[0], every
    )
    speeds = [
        _seconds_per_pair(shared, rung, scale.ladder_pairs) for rung in context.track(rungs, "ladder", len(rungs))
    ]
    return [_to_target(ours, theirs), _rungs(rungs, speeds)]


def _ladder() -> list[_Recipe]:
    """TRL's defaults, then one difference after another, up to our recipe as `distill` builds it."""
    import torch

    rungs = [_Recipe()]
    changes: list[dict[str, Any]] = [
        {"name": "no gradient checkpointing", "has_checkpointing": False},
        {"name": "base weights in bfloat16", "is_bf16": True},
    ]
    if not torch.cuda.is_available():
        changes += [
            {"name": "plain attention", "attention": "eager"},
            {"name": "output layer on completions only", "scores_completions_only": True},
        ]
    for change in [*changes, {"name": "our recipe, as `distill` builds it", "is_ours": True}]:
        rungs.append(rungs[-1]._replace(**change))
    return rungs


def _curve(data: _Data, recipe: _Recipe, every_pairs: int) -> list[_Point]:
    """Train to the end; a point before the first step and after every so many pairs."""
    trainer = _trainer(data, recipe)
    clock = _Clock()
    points = [_Point(0.0, 0, _validation_loss(trainer, data.rows))]

    def look(step: int, steps: int, _loss: float | None) -> None:
        """Stop the clock to evaluate."""
        pairs = step * data.settings.batch_size
        if pairs >= every_pairs * len(points) or step == steps:
            seconds = clock.stop()
            points.append(_Point(seconds, pairs, _validation_loss(trainer, data.rows)))
            clock.start()

    trainer.add_callback(distill.progress(look))
    clock.start()
    trainer.train()
    return points


class _Clock:
    """Counts the seconds between `start` and `stop`."""

    def __init__(self) -> None:
        self._counted = 0.0
        self._started = 0.0

    def start(self) -> None:
        self._started = time.perf_counter()

    def stop(self) -> float:
        """Stop; return the seconds counted so far."""
        self._counted += time.perf_counter() - self._started
        return self._counted


def _seconds_per_pair(data: _Data, recipe: _Recipe, number: int) -> float:
    """Seconds a training pair takes, over `number` pairs after two steps that warm up."""
    moments: list[float] = []
    train = data.train[:number]
    steps = len(train) // data.settings.batch_size
    settings = data.settings.model_copy(update={"max_steps": WARM_UP_STEPS + steps})
    trainer = _trainer(data._replace(train=train, settings=settings), recipe)
    trainer.add_callback(distill.progress(lambda *_: moments.append(time.perf_counter())))
    trainer.train()
    return (moments[-1] - moments[WARM_UP_STEPS - 1]) / (steps * data.settings.batch_size)


def _trainer(data: _Data, recipe: _Recipe) -> "SFTTrainer":
    if not recipe.is_ours:
        return _trl_trainer(data, recipe)
    model, tokenizer = distill.load_student(data.base)
    rows = distill.encode(tokenizer, data.guide, data.train, max_length=data.settings.max_length)
    return distill._trainer(model, tokenizer, (rows, []), data.settings, on_step=lambda *_: None)


def _trl_trainer(data: _Data, recipe: _Recipe) -> "SFTTrainer":
    """TRL's trainer with a recipe, from rows of messages as its documentation has them."""
    import torch
    from datasets import Dataset
    from transformers.trainer_callback import PrinterCallback
    from trl import SFTConfig, SFTTrainer

    settings = data.settings
    changed: dict[str, Any] = {} if recipe.has_checkpointing else {"gradient_checkpointing": False}
    load: dict[str, Any] = {"dtype": "bfloat16"} if recipe.is_bf16 else {}
    if recipe.attention:
        load["attn_implementation"] = recipe.attention
    config = SFTConfig(
        output_dir=tempfile.gettempdir(),
        model_init_kwargs=load,
        num_train_epochs=settings.epochs,
        max_steps=settings.max_steps,
        per_device_train_batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        seed=settings.seed,
        bf16=True,
        use_cpu=not torch.cuda.is_available(),
        dataloader_pin_memory=torch.cuda.is_available(),
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        **changed,
    )
    rows = Dataset.from_list([_messages(data.guide, example) for example in data.train])
    trainer = SFTTrainer(
        model=str(data.base), args=config, train_dataset=rows, peft_config=distill.lora_config(settings)
    )
    trainer.remove_callback(PrinterCallback)
    if recipe.scores_completions_only:
        distill.score_completions_only(trainer.model)
    return trainer


def _messages(guide: Brand, example: Example) -> dict[str, list[dict[str, str]]]:
    prompt = [message.model_dump() for message in student_messages(guide, example.brief)]
    return {"prompt": prompt, "completion": [{"role": "assistant", "content": example.text}]}


def _validation_loss(trainer: "SFTTrainer", rows: Sequence[distill.Row]) -> float:
    """Mean loss in nats per completion token, the same for every recipe: labels are not given, logits are whole."""
    import torch

    model, ordered = trainer.model, sorted(rows, key=lambda row: len(row.prompt) + len(row.completion))
    is_training, total, tokens = model.training, 0.0, 0
    model.eval()
    for start in range(0, len(ordered), EVALUATION_BATCH):
        ids, labels = _padded(ordered[start : start + EVALUATION_BATCH])
        ids, labels = ids.to(model.device), labels.to(model.device)
        with torch.no_grad(), torch.autocast(model.device.type, torch.bfloat16):
            logits = model(input_ids=ids, use_cache=False).logits
        picked = logits[:, :-1][labels[:, 1:] != distill.IGNORED].float()
        wanted = labels[:, 1:][labels[:, 1:] != distill.IGNORED]
        total += float(torch.nn.functional.cross_entropy(picked, wanted, reduction="sum"))
        tokens += wanted.numel()
    model.train(is_training)
    return total / tokens


def _padded(rows: Sequence[distill.Row]) -> tuple[Any, Any]:
    """Token ids and labels as tensors (B, T), padded on the right; causal attention keeps padding from being seen."""
    import torch

    longest = max(len(row.prompt) + len(row.completion) for row in rows)
    ids, labels = [], []
    for row in rows:
        padding = longest - len(row.prompt) - len(row.completion)
        ids.append([*row.prompt, *row.completion, *[0] * padding])
        labels.append([*[distill.IGNORED] * len(row.prompt), *row.completion, *[distill.IGNORED] * padding])
    return torch.tensor(ids), torch.tensor(labels)


def _to_target(ours: Sequence[_Point], theirs: Sequence[_Point]) -> Table:
    lowest = [min(point.loss for point in points[1:]) for points in (ours, theirs)]
    target = max(lowest)
    first, second = _first(ours[1:], target), _first(theirs[1:], target)
    rows = [
        (
            name,
            f"{point.seconds:.1f}",
            f"{point.pairs:,}",
            f"{loss:.3f}",
            f"{points[-1].loss:.3f}",
            f"{points[-1].seconds:.0f}",
        )
        for name, point, loss, points in zip(
            ("our recipe", "TRL's defaults"), (first, second), lowest, (ours, theirs), strict=True
        )
    ]
    faster = f"{second.seconds / first.seconds:.1f} times"
    notes = (
        f"Our recipe is **{faster}** as fast to a validation loss of {target:.3f} nats per completion token, the "
        f"lowest that both reach (untrained: {ours[0].loss:.3f}). Same base, pairs, seed, learning rate, LoRA and "
        "bfloat16 autocast; TRL's side keeps every other default of `SFTConfig`. Seconds of training steps; loading "
        "and evaluating are left out.",
    )
    header = ("", "seconds to target", "training pairs seen", "lowest loss", "loss at the end", "seconds of the run")
    return Table("Distilling: to the same validation loss", header, rows, notes)


def _first(points: Sequence[_Point], target: float) -> _Point:
    """The first point of a curve at or under a target that it reaches."""
    return next(point for point in points if point.loss <= target)


def _rungs(rungs: Sequence[_Recipe], speeds: Sequence[float]) -> Table:
    rows = []
    for place, (rung, seconds) in enumerate(zip(rungs, speeds, strict=True)):
        gain = f"{speeds[place - 1] / seconds:.2f}" if place else ""
        rows.append((rung.name, f"{seconds * 1e3:.0f}", gain, f"{speeds[0] / seconds:.2f}"))
    notes = (
        "Each line adds one difference to the line above; milliseconds a training pair takes, over the "
        "same pairs. What is left between this and the table above is how many pairs each needs.",
    )
    return Table("Distilling: where the time goes", ("", "ms/pair", "x line above", "x TRL"), rows, notes)
