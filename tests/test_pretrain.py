"""The base student's recipe in miniature: from text to a model folder, and on from a checkpoint."""

import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from brand_voice import invent
from brand_voice.pretrain import pairs
from brand_voice.pretrain.tokenizer import train_tokenizer
from brand_voice.shipped import shipped

SOURCE = pairs.load_natural(shipped("data") / "base-corpus")
RECIPE = {"tokens": 30_000, "hidden_size": 64, "layers": 1, "intermediate_size": 128, "vocab_size": 512}


def test_the_demo_brands_stay_out_of_pretraining() -> None:
    assert f"{len(SOURCE):,} briefs" in (shipped("data") / "README.md").read_text()
    assert not {n.brief.brand for n in SOURCE} & {"tidewater", "fjellvik", "vela"}


def test_a_pattern_takes_nothing_from_outside_its_brief() -> None:
    rng = random.Random(5)
    for _ in range(300):
        pair = pairs.pattern(rng, SOURCE, word_share=0.25)
        for number in re.findall(r"\d+(?:[.,]\d+)*", pair.completion):
            assert number in pair.prompt
        assert "{" not in pair.completion
        least, most = map(int, re.search(r"(\d+) to (\d+) characters", pair.prompt).groups())
        assert least <= len(pair.completion) <= most, "a base that sees limits broken learns to break them"


def test_offers_are_many_and_names_varied() -> None:
    rng = random.Random(1)
    assert len({invent.offer(rng) for _ in range(20_000)}) > 8_000
    assert len({invent.name(rng) for _ in range(5_000)}) > 4_500


def test_every_digit_is_a_token_and_every_letter_can_be_written() -> None:
    tokenizer = train_tokenizer(SOURCE[:300], vocab_size=600, seed=1)
    assert len(tokenizer.tokenize("1,204.75%")) == len("1,204.75%")
    for text in ("Bør 55 – größer, Käse; 10 °C", "naïve café ☕", "日本"):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pretrain")
    options = ["--recipe", json.dumps(RECIPE), "--no-compile", "--gate-briefs", "4"]
    command = [
        sys.executable,
        "-m",
        "brand_voice.pretrain",
        "--work",
        str(folder / "work"),
        "--out",
        str(folder / "out"),
    ]
    subprocess.run([*command, *options], check=True, capture_output=True, timeout=300)
    return folder


def test_the_miniature_is_a_model_that_transformers_loads(built: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(built / "out", trust_remote_code=False, use_safetensors=True)
    tokenizer = AutoTokenizer.from_pretrained(built / "out")
    assert model.config.model_type == "qwen3"
    assert tokenizer.chat_template
    assert tokenizer.eos_token == "<|im_end|>"


def test_its_card_tells_recipe_losses_and_gate(built: Path) -> None:
    card = json.loads((built / "out" / "training.json").read_text())
    assert card["recipe"]["tokens"] == 30_000
    assert card["curve"][-1]["validation_loss"] < 7
    assert set(card["copy_gate"]) <= {"name", "offer", "code"}


def test_a_stopped_run_goes_on_from_its_checkpoint(built: Path) -> None:
    from transformers import AutoTokenizer

    from brand_voice.pretrain.__main__ import load_tokenizer
    from brand_voice.pretrain.train import Recipe, Trainer, new_model

    recipe = Recipe.model_validate(RECIPE)
    tokenizer = load_tokenizer(built / "work" / "tokenizer", [], recipe)
    assert tokenizer.get_vocab() == AutoTokenizer.from_pretrained(built / "out").get_vocab()
    fresh = Trainer(recipe, new_model(recipe, tokenizer), compiles=False)
    fresh.restore(built / "work" / "checkpoint.pt")
    assert fresh.tokens >= 30_000
    assert fresh.steps > 0


def test_the_tokenizer_is_the_same_in_every_process() -> None:
    """Set order once changed it between runs, and a resumed run gave its ids new meanings."""
    code = (
        "import hashlib\nfrom test_pretrain import SOURCE, train_tokenizer\n"
        "made = train_tokenizer(SOURCE[:200], vocab_size=500, seed=1).backend_tokenizer.to_str()\n"
        "print(hashlib.sha256(made.encode()).hexdigest())"
    )
    told = [
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parent)},
            check=True,
            capture_output=True,
            timeout=120,
        ).stdout
        for seed in ("1", "2")
    ]
    assert told[0] == told[1]
