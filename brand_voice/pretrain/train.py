"""The pretraining loop: plain PyTorch, bfloat16 weights with float32 master copies, Muon for matrices.

Copying comes first (drills alone), language after (patterns and natural pairs), and natural pairs fill most of the
learning-rate decay. Batches hold pairs of similar length, padded on the right; with a causal mask and no loss on the
padding that equals solo runs. Muon: K. Jordan et al. 2024, kellerjordan.github.io/posts/muon, as in `torch.optim`.

The loop checkpoints to one file and resumes from it; it knows nothing of LoRA, brands or serving.
"""

import json
import math
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

from brand_voice.pretrain.pairs import Natural, Pair, natural, stream
from brand_voice.records import Record

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM

IGNORED = -100


class Recipe(Record):
    """Everything that decides the weights, besides the corpus."""

    vocab_size: int = 4_096
    hidden_size: int = 256
    layers: int = 6
    intermediate_size: int = 704
    tokens: int = 60_000_000
    """Training tokens, prompts included, padding not."""
    batch_tokens: int = 6_144
    learning_rate: float = 0.012
    """Of Muon; embeddings and norms take a sixth of it with AdamW."""
    prompt_weight: float = 0.1
    """Weight of the loss on prompt tokens, against 1 on the completion."""
    warmup_steps: int = 60
    has_generator: bool = True
    """Whether invented pairs are drawn; without them natural pairs are all there is."""
    drills_until: float = 0.1
    """Share of the tokens that are drills alone."""
    natural_from: float = 0.43
    """Share of the tokens after which three pairs of four are natural; before, less than half."""
    decay_from: float = 0.84
    """Share of the tokens after which the learning rate falls linearly to a twentieth."""
    other_words: float = 0.25
    """Share of the words common to brief and copy that a draw changes. Kept to the end: on a smaller corpus, in a run
    where it fell to none with the learning rate, the validation loss rose from 1.93 to 2.02 meanwhile."""
    seed: int = 1

    def shares(self, progress: float) -> tuple[float, float, float]:
        """Weights of drills, patterns and natural pairs (in pairs, not tokens) at `progress` in [0, 1]."""
        if not self.has_generator:
            return (0.0, 0.0, 1.0)
        if progress < self.drills_until:
            return (1.0, 0.0, 0.0)
        if progress < self.natural_from:
            return (0.25, 0.30, 0.45)
        return (0.12, 0.13, 0.75)

    def rate(self, step: int, progress: float) -> float:
        """Factor on the learning rate: warm-up, constant, linear decay."""
        decay = min(1.0, (1 - progress) / (1 - self.decay_from))
        return min(1.0, (step + 1) / self.warmup_steps) * max(0.05, decay)


class Batch(NamedTuple):
    """Right-padded token ids and labels."""

    ids: "torch.Tensor"  # (B, T)
    labels: "torch.Tensor"  # (B, T), IGNORED on padding
    weights: "torch.Tensor"  # (B, T)
    tokens: int


def new_model(recipe: Recipe, tokenizer: "PreTrainedTokenizerFast") -> "Qwen3ForCausalLM":
    """A Qwen3-shaped model with random weights."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(recipe.seed)
    config = Qwen3Config(
        vocab_size=recipe.vocab_size,
        hidden_size=recipe.hidden_size,
        intermediate_size=recipe.intermediate_size,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.hidden_size // 64,
        num_key_value_heads=recipe.hidden_size // 64,
        head_dim=64,
        tie_word_embeddings=True,
        max_position_embeddings=1_024,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = Qwen3ForCausalLM(config)
    # Written out and compiled, attention over these short rows is faster on a CPU than the fused kernel.
    model.set_attn_implementation("sdpa" if torch.cuda.is_available() else "eager")
    return model


def encode(tokenizer: "PreTrainedTokenizerFast", pair: Pair) -> tuple[list[int], list[int]]:
    """Token ids of prompt and completion, apart, as training and serving see them."""
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": pair.prompt}], add_generation_prompt=True, return_dict=False
    )
    completion = tokenizer(pair.completion + tokenizer.eos_token, add_special_tokens=False)["input_ids"]
    return list(prompt), list(completion)


def batches(recipe: Recipe, tokenizer: "PreTrainedTokenizerFast", source: list[Natural], done: int) -> Iterator[Batch]:
    """Batches of similar length from token count `done` on; restarted runs draw fresh pairs."""
    rng = random.Random(f"{recipe.seed}-{done}")
    while True:
        pairs = stream(rng, source, recipe.shares(done / recipe.tokens), recipe.other_words)
        pool = [encode(tokenizer, next(pairs)) for _ in range(1_500)]
        pool.sort(key=lambda item: len(item[0]) + len(item[1]))
        chunks: list[list[tuple[list[int], list[int]]]] = [[]]
        for item in pool:
            if _width([*chunks[-1], item]) * (len(chunks[-1]) + 1) > recipe.batch_tokens:
                chunks.append([])
            chunks[-1].append(item)
        rng.shuffle(chunks)
        for chunk in chunks:
            batch = _collate(recipe, tokenizer.pad_token_id, chunk)
            done += batch.tokens
            yield batch


def _width(items: list[tuple[list[int], list[int]]]) -> int:
    longest = max(len(p) + len(c) for p, c in items)
    return math.ceil(longest / 64) * 64


def _collate(recipe: Recipe, pad: int, items: list[tuple[list[int], list[int]]]) -> Batch:
    import torch

    width, rows = _width(items), max(1, recipe.batch_tokens // _width(items))
    # A fixed number of rows per width keeps the number of compiled shapes small.
    ids = torch.full((rows, width), pad)
    labels = torch.full((rows, width), IGNORED)
    weights = torch.zeros((rows, width))
    for row, (prompt, completion) in enumerate(items[:rows]):
        end = len(prompt) + len(completion)
        ids[row, :end] = labels[row, :end] = torch.tensor(prompt + completion)
        weights[row, : len(prompt)] = recipe.prompt_weight
        weights[row, len(prompt) : end] = 1.0
    return Batch(ids, labels, weights, sum(len(p) + len(c) for p, c in items[:rows]))


class Trainer:
    """Model, master weights and optimisers; `step` consumes a batch."""

    def __init__(self, recipe: Recipe, model: "Qwen3ForCausalLM", *, compiles: bool) -> None:
        import torch

        self.recipe, self.model, self.steps, self.tokens = recipe, model, 0, 0
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.master = [p.detach().float().clone().to(self.device) for p in model.parameters()]
        model.to(self.device, torch.bfloat16)
        matrices = [m for m, (n, _) in zip(self.master, model.named_parameters(), strict=True) if _is_matrix(n, m)]
        others = [m for m, (n, _) in zip(self.master, model.named_parameters(), strict=True) if not _is_matrix(n, m)]
        self.rates = (recipe.learning_rate, recipe.learning_rate / 6)
        self.optimizers = (
            torch.optim.Muon(matrices, lr=self.rates[0], weight_decay=0.01, momentum=0.95),
            torch.optim.AdamW(others, lr=self.rates[1], betas=(0.9, 0.95), weight_decay=0.0, fused=True),
        )
        self.core = torch.compile(model.model, dynamic=False) if compiles else model.model

    def step(self, batch: Batch) -> float:
        """One update; returns the loss per completion-weighted token (nats)."""
        import torch
        from torch.nn.functional import cross_entropy

        factor = self.recipe.rate(self.steps, self.tokens / self.recipe.tokens)
        ids, labels, weights = (t.to(self.device) for t in (batch.ids, batch.labels, batch.weights))
        hidden = self.core(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]  # (B, T-1, H)
        wanted = weights[:, 1:] > 0
        logits = self.model.lm_head(hidden[wanted]).float()  # (N, V)
        each = cross_entropy(logits, labels[:, 1:][wanted], reduction="none")
        weight = weights[:, 1:][wanted]
        loss = (each * weight).sum() / weight.sum()
        loss.backward()
        for master, parameter in zip(self.master, self.model.parameters(), strict=True):
            master.grad = parameter.grad.float() if parameter.grad is not None else None
            parameter.grad = None
        torch.nn.utils.clip_grad_norm_(self.master, 1.0)
        for optimizer, rate in zip(self.optimizers, self.rates, strict=True):
            optimizer.param_groups[0]["lr"] = rate * factor
            optimizer.step()
        with torch.no_grad():
            for master, parameter in zip(self.master, self.model.parameters(), strict=True):
                parameter.copy_(master)
        self.steps, self.tokens = self.steps + 1, self.tokens + batch.tokens
        return float(loss.detach())

    def save(self, path: Path) -> None:
        """Write a checkpoint: temporary name, then rename."""
        import torch

        state = {
            "master": self.master,
            "optimizers": [o.state_dict() for o in self.optimizers],
            "steps": self.steps,
            "tokens": self.tokens,
        }
        torch.save(state, path.with_suffix(".partial"))
        path.with_suffix(".partial").rename(path)

    def restore(self, path: Path) -> None:
        """Continue from a checkpoint of this machine's own making."""
        import torch

        state = torch.load(path, weights_only=True)
        for master, parameter, saved in zip(self.master, self.model.parameters(), state["master"], strict=True):
            master.copy_(saved)
            parameter.data.copy_(saved)
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.steps, self.tokens = state["steps"], state["tokens"]


def _is_matrix(name: str, weight: "torch.Tensor") -> bool:
    return weight.ndim == 2 and "embed" not in name


def validation_loss(trainer: Trainer, tokenizer: "PreTrainedTokenizerFast", held_out: list[Natural]) -> float:
    """Mean loss per completion token (nats) on natural pairs that training never draws."""
    import torch
    from torch.nn.functional import cross_entropy

    rng = random.Random(0)
    recipe = trainer.recipe.model_copy(update={"prompt_weight": 0.0})
    items = sorted((encode(tokenizer, natural(rng, [n])) for n in held_out), key=lambda i: len(i[0]) + len(i[1]))
    total, count = 0.0, 0
    with torch.no_grad():
        for at in range(0, len(items), 16):
            batch = _collate(recipe, tokenizer.pad_token_id, items[at : at + 16])
            ids, labels, weights = (t.to(trainer.device) for t in (batch.ids, batch.labels, batch.weights))
            wanted = weights[:, 1:] > 0
            hidden = trainer.model.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1][wanted]
            logits = trainer.model.lm_head(hidden).float()
            total += float(cross_entropy(logits, labels[:, 1:][wanted], reduction="sum"))
            count += int(wanted.sum())
    return total / count


def train(
    trainer: Trainer, tokenizer: "PreTrainedTokenizerFast", source: list[Natural], *, work: Path, log_every: int = 50
) -> Iterator[dict[str, Any]]:
    """Train to the recipe's last token; yields a line of the loss curve every `log_every` steps.

    About 128 natural pairs are held out. Checkpoints go to `work/checkpoint.pt`.
    """
    # The lowest hashes: a corpus that grows between two legs never holds out what was trained on before.
    held_out = sorted(source, key=lambda n: crc32(n.brief.id.encode()))[: min(128, len(source) // 4)]
    taken = {n.brief.id for n in held_out}
    kept = [n for n in source if n.brief.id not in taken]
    started, losses = time.monotonic(), []
    for batch in batches(trainer.recipe, tokenizer, kept, trainer.tokens):
        losses.append(trainer.step(batch))
        is_last = trainer.tokens >= trainer.recipe.tokens
        if is_last or trainer.steps % log_every == 0:
            row: dict[str, Any] = {"step": trainer.steps, "tokens": trainer.tokens}
            row |= {"loss": round(sum(losses) / len(losses), 4), "seconds": round(time.monotonic() - started)}
            if is_last or trainer.steps % (log_every * 10) == 0:
                row["validation_loss"] = round(validation_loss(trainer, tokenizer, held_out), 4)
                trainer.save(work / "checkpoint.pt")
            losses = []
            with (work / "curve.jsonl").open("a", encoding="utf-8") as curve:
                curve.write(json.dumps(row) + "\n")
            yield row
        if is_last:
            return
