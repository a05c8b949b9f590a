"""A base model's folder, the adapters that fit it, and both made one: what a server can load.

A base is checked before anything starts, because a server takes half a minute to say less clearly that a folder is no
model. An adapter fits one base (by the hash of its weights) and one wording of the student's prompt; on anything else
it would answer, badly. Merged models are a cache: artifacts like any other, but rebuilt when they are damaged.

It does not know servers.
"""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from brand_voice.artifacts import building, file_hashes, read_manifest, verify, weights_hash, write_manifest
from brand_voice.errors import ArtifactError
from brand_voice.records import AdapterManifest, Record, now

HUB_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+")
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json")
COMPANIONS = (
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template*",
    "vocab.json",
    "merges.txt",
    "generation_config.json",
)
"""What stands beside the weights and is taken over unchanged; re-saving a tokenizer may alter it."""
_MODEL_REMEDY = (
    "give a local model folder or a hub id such as Qwen/Qwen3-0.6B (--student, or `student` in the settings)"
)


class Base(NamedTuple):
    """A base model on this machine."""

    path: Path
    hash: str
    """Hash of the weights; for a hub model its revision."""
    max_positions: int
    """Tokens its positions reach."""


class MergedManifest(Record):
    """A base with one adapter merged in; written last."""

    name: str
    base_hash: str
    files: dict[str, str]
    """SHA-256 per file."""
    created_at: str


def find_base(base: Path | str, *, revision: str | None = None) -> Base:
    """Find a base model; a hub id is downloaded once, at `revision`, and then lies in the hub's cache.

    Raises:
        ArtifactError: not there, or not a causal language model with tokenizer, chat template and safetensors weights.
    """
    path = Path(base).expanduser()
    is_hub = isinstance(base, str) and not path.exists() and HUB_ID.fullmatch(base) is not None
    if is_hub:
        path = _from_hub(str(base), revision)
    config = _config(path)
    if not any(path.glob("*.safetensors")):
        raise ArtifactError(f"{path} holds no *.safetensors weights", remedy=_MODEL_REMEDY)
    if not any((path / name).is_file() for name in TOKENIZER_FILES):
        raise ArtifactError(f"{path} holds no tokenizer ({', '.join(TOKENIZER_FILES)})", remedy=_MODEL_REMEDY)
    if not _has_chat_template(path):
        raise ArtifactError(f"{path} has no chat template", remedy="choose an instruction-tuned (chat) model")
    base_hash = path.resolve().name if is_hub else weights_hash(path)
    return Base(path.resolve(), base_hash, int(config.get("max_position_embeddings") or 2**31))


def usable_adapter(folder: Path, base: Base, *, prompt_hash: str) -> AdapterManifest:
    """Verify an adapter's files, its base and its prompt.

    Raises:
        ArtifactError: unfinished, changed, or made for another base or another wording of the student's prompt.
    """
    manifest = read_manifest(folder, AdapterManifest)
    verify(folder, manifest.files)
    if manifest.student_hash != base.hash:
        raise ArtifactError(
            f"adapter {manifest.name} was trained on {manifest.student} ({manifest.student_hash}), "
            f"not on {base.path} ({base.hash})",
            remedy=f"serve it with --student {manifest.student}, or run `brand-voice distill` on this base",
        )
    if manifest.prompt_hash != prompt_hash:
        raise ArtifactError(
            f"adapter {manifest.name} was trained on another prompt ({manifest.prompt_hash}, now {prompt_hash})",
            remedy="restore prompts/student.jinja, or run `brand-voice distill` again",
        )
    return manifest


def adapter_rank(folder: Path) -> int:
    """LoRA rank of an adapter.

    Raises:
        ArtifactError: no readable `adapter_config.json`.
    """
    path = folder / "adapter_config.json"
    try:
        return int(json.loads(path.read_text(encoding="utf-8"))["r"])
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise ArtifactError(f"{path} gives no LoRA rank", remedy="run `brand-voice distill` again") from exc


def merged(base: Base, adapter: Path, name: str, *, work: Path, notify: Callable[[str], None]) -> Path:
    """The base with one adapter merged in, bfloat16, in `work/<name>`: built once, then found.

    Raises:
        ArtifactError: the adapter does not fit the base's modules.
    """
    target = work / name
    if _is_whole(target, base):
        return target
    shutil.rmtree(target, ignore_errors=True)
    notify(f"merging {name} into {base.path.name}")
    try:
        with building(target) as folder:
            _merge(base.path, adapter, folder)
            manifest = MergedManifest(name=name, base_hash=base.hash, files=file_hashes(folder), created_at=now())
            write_manifest(folder, manifest)
    except (OSError, ArtifactError):
        if not _is_whole(target, base):  # whole: another process was faster
            raise
    return target


def _is_whole(target: Path, base: Base) -> bool:
    if not target.is_dir():
        return False
    try:
        manifest = read_manifest(target, MergedManifest)
        verify(target, manifest.files)
    except ArtifactError:
        return False
    return manifest.base_hash == base.hash


def _merge(base: Path, adapter: Path, folder: Path) -> None:
    import torch
    from peft import PeftModel
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, local_files_only=True)
        model = PeftModel.from_pretrained(model, adapter).merge_and_unload()  # in float32: rounded once, at the end
        model.to(torch.bfloat16).save_pretrained(folder)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError) as exc:
        raise ArtifactError(
            f"cannot merge {adapter} into {base}: {exc}", remedy="run `brand-voice distill` again on this base"
        ) from exc
    for pattern in COMPANIONS:
        for path in base.glob(pattern):
            shutil.copy2(path, folder / path.name)


def _config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise ArtifactError(f"{path} is not a model: no readable config.json", remedy=_MODEL_REMEDY) from exc
    if not isinstance(config, dict) or "model_type" not in config:
        raise ArtifactError(f"{path} is not a model: its config.json names no model_type", remedy=_MODEL_REMEDY)
    return config


def _has_chat_template(path: Path) -> bool:
    if any(path.glob("chat_template*")):
        return True
    try:
        return bool(json.loads((path / "tokenizer_config.json").read_text(encoding="utf-8")).get("chat_template"))
    except (OSError, ValueError):
        return False


def _from_hub(hub_id: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    patterns = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
    try:
        return Path(snapshot_download(hub_id, revision=revision, allow_patterns=patterns))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as exc:
        raise ArtifactError(
            f"cannot get {hub_id} from the Hugging Face hub: {type(exc).__name__}",
            remedy=f"check the name, the network and HF_TOKEN (gated models); {_MODEL_REMEDY}",
        ) from exc
