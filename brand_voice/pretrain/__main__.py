"""Build `data/base-student/` from text to weights: `python -m brand_voice.pretrain --help`."""

import argparse
import json
import os
import platform
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

from brand_voice.pretrain import pairs
from brand_voice.pretrain.gate import copy_gate
from brand_voice.pretrain.tokenizer import train_tokenizer
from brand_voice.pretrain.train import Recipe, Trainer, new_model, train
from brand_voice.shipped import shipped

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


GOALS = {"name": 0.98, "offer": 0.97, "code": 0.97}
"""Shares of exact copies that the gate asks for."""


def main() -> None:
    """Train tokenizer and model, measure the copy gate, write the model folder with its training card."""
    import torch

    options = _options()
    recipe = Recipe.model_validate_json(options.recipe)
    options.work.mkdir(parents=True, exist_ok=True)
    source = pairs.load_natural(options.corpus)
    tokenizer = load_tokenizer(options.work / "tokenizer", source, recipe)
    trainer = Trainer(recipe, new_model(recipe, tokenizer), compiles=options.compile)
    if (options.work / "checkpoint.pt").exists():
        trainer.restore(options.work / "checkpoint.pt")
    if trainer.tokens < recipe.tokens:
        for row in train(trainer, tokenizer, source, work=options.work):
            print(json.dumps(row), flush=True)
    gate = copy_gate(trainer.model, tokenizer, pairs.unseen_briefs(random.Random(0), options.gate_briefs, source))
    print(json.dumps(gate))
    trainer.model.save_pretrained(options.out)
    tokenizer.save_pretrained(options.out)
    curve = [json.loads(line) for line in (options.work / "curve.jsonl").read_text().splitlines()]
    card = {
        "recipe": recipe.model_dump(),
        "corpus": {"natural_pairs": len(source), "brands": len({n.brief.brand for n in source})},
        "parameters": sum(p.numel() for p in trainer.model.parameters()),
        "steps": trainer.steps,
        "copy_gate": gate,
        "hardware": f"{platform.machine()}, {os.cpu_count()} cores, {trainer.device}",
        "torch": torch.__version__,
        "history": options.history,
        "curve": curve[:: max(1, len(curve) // 100)] + curve[-1:],
    }
    (options.out / "training.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    (options.out / "README.md").write_text(model_card(card), encoding="utf-8")


def load_tokenizer(folder: Path, source: list[pairs.Natural], recipe: Recipe) -> "PreTrainedTokenizerFast":
    """The run's tokenizer: trained once, then read, so that a resumed run gives every id the meaning it had."""
    from transformers import PreTrainedTokenizerFast

    if not folder.exists():
        train_tokenizer(source, vocab_size=recipe.vocab_size, seed=recipe.seed).save_pretrained(folder)
    return PreTrainedTokenizerFast.from_pretrained(folder)


def model_card(card: dict[str, Any]) -> str:
    """The model card, from the training card's own figures."""
    recipe, gate, last = card["recipe"], card["copy_gate"], card["curve"][-1]
    is_met = all(share >= GOALS[kind] for kind, share in gate.items())
    copied = ", ".join(f"{kind} {share:.1%}" for kind, share in gate.items())
    return f"""---
license: apache-2.0
tags: [brand-voice, demonstration]
---

# base-student

A demonstration model: {card["parameters"] / 1e6:.1f}M parameters, Qwen3-shaped ({recipe["layers"]} layers, width
{recipe["hidden_size"]}, vocabulary {recipe["vocab_size"]}), trained from scratch by `make base-student`. It knows one
prompt, `prompts/student.jinja`, and nothing of the world. It is there so that the loop runs without a download; for
real work choose a real student.

- Corpus: {card["corpus"]["natural_pairs"]:,} briefs with copy of {card["corpus"]["brands"]} fictional brands, changed
  at every draw (name, numbers, offer, facts), and invented pairs that drill copying. The demo brands are not in it.
- Training: {last["tokens"]:,} tokens, {card["steps"]:,} steps, {card["hardware"]}, torch {card["torch"]}; last training
  loss {last["loss"]}, validation loss {last["validation_loss"]} (nats a completion token, natural pairs held out).
- Copy gate: invented names, offers and codes copied exactly in greedy answers: {copied}. The goal, 98% of the names
  and 97% of the rest, is {"met" if is_met else "missed"}.
- History: {card["history"]}
"""


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m brand_voice.pretrain", description=__doc__)
    parser.add_argument("--corpus", type=Path, default=shipped("data") / "base-corpus")
    parser.add_argument("--out", type=Path, default=Path("data/base-student"))
    parser.add_argument("--work", type=Path, default=Path("workspace/pretrain"), help="checkpoint and loss curve")
    parser.add_argument("--recipe", default="{}", help="JSON: fields of Recipe that differ from its defaults")
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--gate-briefs", type=int, default=500)
    parser.add_argument("--history", default="one run", help="what the run went through, for the cards")
    return parser.parse_args()


if __name__ == "__main__":
    main()
