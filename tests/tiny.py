"""A tiny Qwen3-shaped student and LoRA adapters for it, random, made in seconds.

Random weights would never end a text, so that every answer of a test would be cut off. One dimension of the residual
stream is therefore a constant, and the output matrix reads a prior from it: whole words are likely, control tokens and
single bytes are not, and the end of the turn comes after about twenty tokens. A second dimension marks the line break
that opens the assistant's turn: right after it the turn cannot end, so that no answer is empty.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from brand_voice.artifacts import file_hashes, weights_hash, write_manifest
from brand_voice.prompts import student_prompt_hash
from brand_voice.records import AdapterManifest, now
from brand_voice.shipped import shipped

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}"
    "<|im_start|>assistant\n{% generation %}{{ message['content'] }}<|im_end|>{% endgeneration %}\n"
    "{% else %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
EXPECTED_TOKENS = 20
TEMPERATURE = 0.7
LORA_STRENGTH = 0.25
"""Enough to change what is said; more would drown the two dimensions, which no layer writes to."""


def tiny_student(folder: Path) -> Path:
    """Write a random student of about a million parameters to `folder`; return `folder`."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    tokenizer = _tokenizer()
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=2_048,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(0)
    model = Qwen3ForCausalLM(config)
    _give_prior(model, tokenizer)
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def tiny_adapter(adapters: Path, base: Path, *, brand: str = "tidewater", seed: int = 0) -> Path:
    """Write a random LoRA adapter of `base` with its manifest into `adapters`; return its folder."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_pretrained(base)
    config = LoraConfig(r=8, lora_alpha=1, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM")
    name = f"{brand}@2026-11-22-{hashlib.sha256(str(seed).encode()).hexdigest()[:8]}"
    folder = adapters / name
    tuned = get_peft_model(model, config)
    with torch.no_grad():
        for parameter_name, weight in tuned.named_parameters():
            if "lora_B" in parameter_name:
                weight.mul_(LORA_STRENGTH)
                weight[:2] *= "o_proj" not in parameter_name and "down_proj" not in parameter_name
    tuned.save_pretrained(folder)
    write_manifest(folder, _manifest(name, folder, base, brand))
    return folder


def _manifest(name: str, folder: Path, base: Path, brand: str) -> AdapterManifest:
    return AdapterManifest(
        name=name,
        brand=brand,
        student=str(base),
        student_hash=weights_hash(base),
        snapshot="none",
        guide_version="none",
        voice_line="none",
        prompt_hash=student_prompt_hash(),
        training={},
        metrics={},
        versions={},
        files=file_hashes(folder),
        created_at=now(),
    )


def _tokenizer():
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=2_048,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(), trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    fast.chat_template = CHAT_TEMPLATE
    return fast


def _texts() -> Iterator[str]:
    lines = (shipped("data") / "brands" / "tidewater" / "teacher.jsonl").read_text(encoding="utf-8").splitlines()
    return (json.loads(line)["text"] for line in lines[:300])


def _give_prior(model, tokenizer) -> None:
    import torch

    tokens = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    is_word = torch.tensor([token.startswith("Ġ") and token[1:].isalpha() for token in tokens])
    logits = torch.where(is_word, 0.0, -9.0)
    end, line_break = tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids("Ċ")
    logits[end] = TEMPERATURE * torch.log(is_word.sum() / EXPECTED_TOKENS)
    with torch.no_grad():
        embedding = model.model.embed_tokens.weight
        embedding[:, :2] = torch.tensor([0.1, 0.0])
        embedding[line_break, 1] = 0.1
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight[:2] = 0.0
            layer.mlp.down_proj.weight[:2] = 0.0
        prompt = torch.tensor([tokenizer.encode("\n".join(_texts()))[:200]])
        constant = model.model(prompt).last_hidden_state[0, -50:, 0].mean()
        model.lm_head.weight[:, 0] = logits / constant
        model.lm_head.weight[end, 1] = -12 / constant
