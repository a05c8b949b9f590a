"""The base student's tokenizer: byte-level BPE, every digit a token of its own, only the chat turns special.

Single digits make numbers copyable; bytes underneath make every name writable (ø, ß, emoji alike).
"""

import random
from collections.abc import Iterator
from typing import TYPE_CHECKING

from brand_voice import invent
from brand_voice.pretrain.pairs import Natural, drill, natural

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PAD, TURN, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}{{ '\n' }}"
    "{% else %}{{ message['content'] + '<|im_end|>\n' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def train_tokenizer(source: list[Natural], *, vocab_size: int, seed: int) -> "PreTrainedTokenizerFast":
    """Train on the natural pairs as they are drawn, and on as many invented names and offers."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\d"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    specials = [AddedToken(t, special=True, normalized=False) for t in (PAD, TURN, END)]
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=specials,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(random.Random(seed), source), trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        model_max_length=1_024,
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast


def _texts(rng: random.Random, source: list[Natural]) -> Iterator[str]:
    for pair in source:
        yield pair.text
        drawn = natural(rng, [pair])
        yield drawn.prompt
        yield f"system\nuser\nassistant\n{drill(rng).prompt}"
        yield f"{invent.name(rng)}\n{invent.title(rng)} {invent.name(rng)}: {invent.offer(rng)}"
