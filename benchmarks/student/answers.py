"""Let a student answer prompts in batches with transformers, and keep the answers in a file beside the workspace.

The prompts are the ids that training and serving use, the sampling is the product's; prompts of a batch are padded on
the left. A fresh run repeats exactly for a seed; a run that goes on where another stopped, or was given more briefs,
draws other samples for what was missing. An answer that does not end within `max_new_tokens` is a failed one.
"""

import statistics
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from brand_voice import distill
from brand_voice.cli.shell import track
from brand_voice.records import Record, Sampling, content_hash

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

BATCH = 64
"""Texts written at once."""
Prompt = tuple[int, ...]


class Answer(Record):
    """One sampled text: a line of the cache."""

    prompt: str
    """Hash of the prompt's ids."""
    take: int
    text: str
    is_finished: bool
    mean_logprob: float | None = None
    """Mean log-probability (nats) of the tokens under the model as it is, the end included; where there are takes."""


class Weights(NamedTuple):
    """A model to load when something is missing."""

    name: str
    """Names the weights for good: a base's hash or an adapter."""
    folder: Callable[[], Path]


class Draw(NamedTuple):
    """How answers are drawn."""

    sampling: Sampling
    seed: int
    takes: int = 1
    """Samples a prompt."""


def answered(place: Path, weights: Weights, prompts: Sequence[Prompt], draw: Draw) -> list[list[Answer]]:
    """The answers to each prompt, `draw.takes` of them; those not in the cache below `place` are written now."""
    drawn = content_hash([draw.sampling.model_dump(exclude={"seed"}), draw.seed, draw.takes])
    path = place / f"{weights.name}-{drawn}.jsonl"
    known = _known(path)
    missing = sorted({p for p in prompts if len(known.get(_key(p), ())) < draw.takes}, key=lambda p: (len(p), p))
    if missing:
        place.mkdir(parents=True, exist_ok=True)
        fresh = _written(weights.folder(), missing, draw)
        size = max(1, BATCH // draw.takes)
        for answers in track(fresh, weights.name.split("@")[0][:16], -(-len(missing) // size)):
            with path.open("a", encoding="utf-8") as stream:
                stream.writelines(answer.model_dump_json() + "\n" for answer in answers)
        known = _known(path)
    return [known[_key(prompt)] for prompt in prompts]


def _key(prompt: Prompt) -> str:
    return content_hash(list(prompt))


def _known(path: Path) -> dict[str, list[Answer]]:
    """The cached answers by prompt, in the order of their takes."""
    lines = path.read_text(encoding="utf-8").split("\n") if path.exists() else []
    found = [Answer.model_validate_json(line) for line in lines if line]
    known: dict[str, dict[int, Answer]] = {}
    for answer in found:
        known.setdefault(answer.prompt, {})[answer.take] = answer
    return {prompt: [takes[take] for take in sorted(takes)] for prompt, takes in known.items()}


def _written(folder: Path, prompts: Sequence[Prompt], draw: Draw) -> Iterator[list[Answer]]:
    """Load the model and answer the prompts batch by batch."""
    import torch
    from transformers.utils import logging

    logging.disable_progress_bar()
    model, tokenizer = distill.load_student(folder)
    model.eval().to("cuda" if torch.cuda.is_available() else "cpu")
    size = max(1, BATCH // draw.takes)
    for number, start in enumerate(range(0, len(prompts), size)):
        torch.manual_seed(10_000 * draw.seed + number)
        yield _batch(model, tokenizer, prompts[start : start + size], draw)


def _batch(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", prompts: Sequence[Prompt], draw: Draw
) -> list[Answer]:
    """Answer some prompts at once."""
    end = distill.completion_ids(tokenizer, "")[-1]
    out = _generated(model, prompts, draw, end=end)
    rows = out.sequences[:, max(map(len, prompts)) :].tolist()  # (B * takes, new)
    logprobs = _logprobs(out) if draw.takes > 1 else None
    answers = []
    for index, row in enumerate(rows):
        length = row.index(end) if end in row else len(row)
        text = str(tokenizer.decode(row[:length], skip_special_tokens=True)).strip()
        answers.append(
            Answer(
                prompt=_key(prompts[index // draw.takes]),
                take=index % draw.takes,
                text=text,
                is_finished=end in row and bool(text),
                mean_logprob=round(statistics.mean(logprobs[index][: length + 1]), 6) if logprobs else None,
            )
        )
    return answers


def _generated(model: "PreTrainedModel", prompts: Sequence[Prompt], draw: Draw, *, end: int) -> Any:
    """What `generate` returns for prompts padded on the left."""
    import torch

    longest = max(map(len, prompts))
    padded = [[*[end] * (longest - len(p)), *p] for p in prompts]
    seen = [[*[0] * (longest - len(p)), *[1] * len(p)] for p in prompts]
    with torch.inference_mode():
        return model.generate(
            torch.tensor(padded, device=model.device),  # (B, T)
            attention_mask=torch.tensor(seen, device=model.device),
            max_new_tokens=draw.sampling.max_new_tokens,
            num_return_sequences=draw.takes,
            eos_token_id=end,
            pad_token_id=end,
            return_dict_in_generate=True,
            output_logits=draw.takes > 1,
            logits_processor=[_penalty(longest, draw.sampling.frequency_penalty)],
            **_sampling(draw.sampling),
        )


def _penalty(prompt_length: int, penalty: float) -> Any:
    """The frequency penalty as vLLM has it: a token's count in the answer so far, times the penalty, off its logit."""
    import torch

    def penalised(ids: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        counts = torch.zeros_like(logits)  # (B, V)
        written = ids[:, prompt_length:]
        return logits - penalty * counts.scatter_add_(1, written, torch.ones_like(written, dtype=logits.dtype))

    return penalised


def _sampling(sampling: Sampling) -> dict[str, Any]:
    """What `generate` is told; `top_k` is off, as in serving."""
    if sampling.temperature == 0:
        return {"do_sample": False}
    return {"do_sample": True, "temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": 0}


def _logprobs(out: Any) -> list[list[float]]:
    """Log-probability of each new token, from the logits before temperature and top-p as a server tells them."""
    import torch

    new = out.sequences[:, -len(out.logits) :]  # (B * takes, new)
    steps = [
        torch.log_softmax(logits.float(), dim=-1).gather(1, new[:, step : step + 1])
        for step, logits in enumerate(out.logits)
    ]
    logprobs: list[list[float]] = torch.cat(steps, dim=1).tolist()
    return logprobs
