"""The gate before any LoRA: does the base copy names, offers and codes it has never seen?"""

from typing import TYPE_CHECKING

from brand_voice.pretrain.pairs import Pair, Unseen
from brand_voice.pretrain.train import encode

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM


def copy_gate(
    model: "Qwen3ForCausalLM", tokenizer: "PreTrainedTokenizerFast", briefs: list[Unseen]
) -> dict[str, float]:
    """Share of exact copies (case aside) of name, offer and code in greedy answers, each where it was asked for."""
    import torch

    hits: dict[str, list[bool]] = {"name": [], "offer": [], "code": []}
    for unseen in briefs:
        prompt, _ = encode(tokenizer, Pair(unseen.prompt, ""))
        ids = torch.tensor([prompt], device=model.device)  # (1, T)
        with torch.no_grad():
            out = model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=160,
                do_sample=False,
                pad_token_id=tokenizer.pad_token_id,
            )
        text = tokenizer.decode(out[0, len(prompt) :], skip_special_tokens=True).lower()
        for kind, wanted in (("name", unseen.name), ("offer", unseen.offer), ("code", unseen.code)):
            if wanted:
                hits[kind].append(wanted.lower() in text)
    return {kind: round(sum(found) / len(found), 4) for kind, found in hits.items() if found}
