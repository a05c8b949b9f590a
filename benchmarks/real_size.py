"""A student of a real model's shape through the same doors: twenty training steps, merged, served.

The shape is Qwen3-0.6B's (its `config.json`; Qwen Team 2025, "Qwen3 Technical Report"): 596M parameters, 28 layers, a
vocabulary of 151,936. The weights are random, because no hub is needed to find out how long a step takes and how much
memory it wants; the texts are noise and are not looked at. Prompts come from the embedded student's tokenizer, with
a template that has Qwen3's switch for thinking.
"""

import itertools
import os
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from benchmarks import prepared
from benchmarks.plain_client import Rate, ask_all
from benchmarks.report import Table
from benchmarks.scale import Scale
from benchmarks.writing import bodies
from brand_voice import student
from brand_voice.context import Context
from brand_voice.records import AdapterManifest
from brand_voice.settings import TrainingSettings
from brand_voice.shipped import shipped

FULL_SHAPE = {
    "vocab_size": 151_936,
    "hidden_size": 1_024,
    "intermediate_size": 3_072,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "max_position_embeddings": 40_960,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1_000_000.0},
    "tie_word_embeddings": True,
}
QUICK_SHAPE = FULL_SHAPE | {"num_hidden_layers": 2, "hidden_size": 256, "intermediate_size": 512, "vocab_size": 8_192}
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.role == 'assistant' %}{% generation %}{{ message.content }}<|im_end|>{% endgeneration %}"
    "{% else %}{{ message.content }}<|im_end|>{% endif %}\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
ENDLESS = {"max_tokens": 48, "ignore_eos": True}
"""Every answer has so many tokens; random weights would not end one."""
GIB = 2**30


class _Trained(NamedTuple):
    """Twenty steps: what they took."""

    manifest: AdapterManifest
    step_s: list[float]
    memory: int
    """Most bytes of the process at once; on a GPU, of its memory."""


def measure(context: Context, scale: Scale) -> Table:
    """Train, serve and ask a student of that shape in the given workspace."""
    folder = build(context.workspace.root / "real-size", QUICK_SHAPE if scale.is_eager else FULL_SHAPE)
    training = TrainingSettings(max_steps=scale.real_size_steps)
    changes = {"student": str(folder), "training": training}
    context = context._replace(settings=context.settings.model_copy(update=changes))
    with (
        context.waiting(f"{scale.real_size_steps} steps of a real size"),
        # A process of its own: what it held at most is then known, and given back before the server starts.
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool,
    ):
        job = (str(context.workspace.root), context.settings.model_dump_json())
        trained = _Trained(*pool.submit(_train, *job).result())
    with student.start_server(context, trained.manifest) as server:
        asked = [body | ENDLESS for body in bodies(context, server, context.brand.briefs[: scale.real_size_rows])]
        ask_all(server.address, asked[:2], 2)  # compiles what compiles once
        rate = ask_all(server.address, asked, len(asked))
        memory = _held(server.address.pid)
    return _table(folder, trained, rate, memory)


def build(folder: Path, shape: dict[str, Any]) -> Path:
    """Write the checkpoint to `folder` unless it is there; return `folder`."""
    import torch
    from transformers import AutoTokenizer, Qwen3Config, Qwen3ForCausalLM

    if not (folder / "config.json").exists():
        tokenizer = AutoTokenizer.from_pretrained(shipped("data") / "base-student")
        tokenizer.chat_template = TEMPLATE
        torch.manual_seed(0)
        config = Qwen3Config(**shape, bos_token_id=None, eos_token_id=tokenizer.eos_token_id)
        Qwen3ForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder


def _train(root: str, settings: str) -> tuple[AdapterManifest, list[float], int]:
    """Distil in this process; runs in a child."""
    import torch

    from brand_voice.cli.shell import opened
    from brand_voice.loop import train
    from brand_voice.settings import Settings

    ticks: list[float] = []
    with opened(Path(root), prepared.BRAND, Settings.model_validate_json(settings)) as context:
        manifest = train(context, snapshot_name=None, on_step=lambda *_: ticks.append(time.perf_counter()))
    steps = [after - before for before, after in itertools.pairwise(ticks)]
    held = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else _peak()
    return manifest, steps, held


def _peak() -> int:
    """Most bytes this process has held in memory (`getrusage`: KiB on Linux, bytes on macOS)."""
    import resource
    import sys

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1_024)


def _held(pid: int) -> int:
    """Bytes that the server's processes hold together; pages they share are counted once (proportional set size)."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return sum(process.memory_full_info().pss for process in family)


def _table(folder: Path, trained: _Trained, rate: Rate, memory: int) -> Table:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder))
    parameters = sum(parameter.numel() for parameter in model.parameters())
    steps = sorted(trained.step_s)
    where = "GPU memory" if torch.cuda.is_available() else "memory"
    batch = trained.manifest.training["batch_size"]
    rows = [
        ("`distill`, seconds a step (median)", f"{steps[len(steps) // 2]:.1f}"),
        (f"`distill`, most {where}", f"{trained.memory / GIB:.1f} GiB"),
        (f"`serve`, completion tokens/s at {rate.copies} requests", f"{rate.tokens_per_s:.0f}"),
        ("`serve`, memory of its processes", f"{memory / GIB:.1f} GiB"),
    ]
    note = (
        f"{parameters / 1e6:.0f}M parameters, random weights, {trained.manifest.training['steps']} steps of {batch} "
        f"pairs on {os.cpu_count()} cores; what it writes is noise."
    )
    return Table("A student of Qwen3-0.6B's shape", ("", ""), rows, (note,))
