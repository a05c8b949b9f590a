"""The gate before any LoRA: does the base copy names, offers and codes it has never seen?"""

from typing import TYPE_CHECKING

from brand_voice.pretrain.pairs import Pair, Unseen
from brand_voice.pretrain.train import encode

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM

BATCH = 50
NEW_TOKENS = 160


def copy_gate(
    model: "Qwen3ForCausalLM", tokenizer: "PreTrainedTokenizerFast", briefs: list[Unseen]
) -> dict[str, float]:
    """Share of exact copies (case aside) of name, offer and code in greedy answers, each where it was asked for."""
    hits: dict[str, list[bool]] = {"name": [], "offer": [], "code": []}
    for start in range(0, len(briefs), BATCH):
        some = briefs[start : start + BATCH]
        for unseen, text in zip(some, _answers(model, tokenizer, some), strict=True):
            for kind, wanted in (("name", unseen.name), ("offer", unseen.offer), ("code", unseen.code)):
                if wanted:
                    hits[kind].append(wanted.lower() in text)
    return {kind: round(sum(found) / len(found), 4) for kind, found in hits.items() if found}


def _answers(model: "Qwen3ForCausalLM", tokenizer: "PreTrainedTokenizerFast", briefs: list[Unseen]) -> list[str]:
    """Greedy answers in lower case, prompts padded on the left."""
    import torch

    prompts = [encode(tokenizer, Pair(unseen.prompt, ""))[0] for unseen in briefs]
    inputs = tokenizer.pad({"input_ids": prompts}, padding_side="left", return_tensors="pt").to(model.device)
    with torch.inference_mode():
        out = model.generate(
            **inputs, max_new_tokens=NEW_TOKENS, do_sample=False, pad_token_id=tokenizer.pad_token_id
        )  # (B, T + new)
    written = out[:, inputs["input_ids"].shape[1] :]
    return [text.lower() for text in tokenizer.batch_decode(written, skip_special_tokens=True)]
