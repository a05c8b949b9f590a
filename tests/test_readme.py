"""The README's commands run as they stand, on twelve briefs: the whole loop, training and vLLM included."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from small_brand import keep_briefs

from brand_voice.serve import attach
from brand_voice.shipped import shipped

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in block.splitlines()]
RUNNING = ("brand-voice serve", "brand-voice app")


def few_briefs(brands: Path, count: int = 12) -> None:
    """A tidewater of a few briefs that shadows the shipped one; train and test are both among them."""
    folder = Path(shutil.copytree(shipped("data") / "brands" / "tidewater", brands / "tidewater"))
    keep_briefs(folder, slice(count))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readme")
    few_briefs(folder / "workspace" / "brands")
    settings = "[serve]\nenforce_eager = true\n[training]\nmax_steps = 10\n"
    (folder / "workspace" / "brand_voice.toml").write_text(settings)
    tool = folder / "bin" / "brand-voice"
    tool.parent.mkdir()
    tool.write_text(f"#!{sys.executable}\nfrom brand_voice.cli.main import main\nmain()\n")
    tool.chmod(0o755)
    return folder


def environment(place: Path) -> dict[str, str]:
    return os.environ | {"PATH": f"{place / 'bin'}:{os.environ['PATH']}"}


def run(place: Path, command: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=place,
        env=environment(place),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode in (0, 3), f"{command}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def served(place: Path) -> Iterator[Path]:
    """Every command before `serve`, then `serve` in the background until the last test is done."""
    serve = next(c for c in COMMANDS if c.startswith("brand-voice serve"))
    for command in COMMANDS[: COMMANDS.index(serve)]:
        run(place, command)
    with (place / "serve.txt").open("w") as told:
        server = subprocess.Popen(["bash", "-c", f"exec {serve}"], cwd=place, env=environment(place), stderr=told)
        try:
            address = place / "workspace" / "server.json"
            deadline = time.monotonic() + 280
            while not address.exists() and time.monotonic() < deadline:
                with suppress(subprocess.TimeoutExpired):
                    server.wait(0.5)
                    break
            assert address.exists(), (place / "serve.txt").read_text()
            yield place
        finally:
            server.send_signal(signal.SIGINT)
            assert server.wait(60) == 130


def test_the_commands_up_to_serve_leave_one_adapter_and_a_server(served: Path) -> None:
    (adapter,) = (served / "workspace" / "adapters").iterdir()
    server = attach(served / "workspace" / "server.json")
    assert server is not None
    assert server.models == (adapter.name,)
    assert (served / "approved.jsonl").read_text().count("\n") >= 12


def test_the_commands_after_serve_run(served: Path) -> None:
    after = COMMANDS[next(i for i, c in enumerate(COMMANDS) if c.startswith("brand-voice serve")) + 1 :]
    for command in after:
        if not command.startswith(RUNNING):
            run(served, command)
    rows = [json.loads(line) for line in (served / "copy.jsonl").read_text().splitlines()]
    assert len(rows) == 2
    assert all(row["adapter"].startswith("tidewater@") for row in rows)
    assert all(row["text"] or row["reason"] for row in rows), "a row has its text, or why it has none"
    assert any(row["text"] and row["tokens"] > 0 and row["latency_ms"] > 0 for row in rows)
    (report,) = (served / "workspace" / "evaluations").iterdir()
    told = json.loads((report / "report.json").read_text())
    candidate, reference = told["sides"][:2]
    assert candidate["texts"] == 3 * candidate["briefs"] > 0
    assert candidate["latency"]["p50_ms"] > 0
    assert (reference["latency"]["p50_ms"], reference["latency"]["basis"]) == (None, "recorded")
    assert told["decision"] == "not_yet", "a few briefs decide nothing"


def test_a_second_write_asks_for_nothing_that_is_there(served: Path) -> None:
    command = next(c for c in COMMANDS if "--out" in c)
    run(served, command)
    before = (served / "copy.jsonl").read_bytes()
    assert "2 rows from an earlier run" in run(served, command).stderr
    assert (served / "copy.jsonl").read_bytes() == before


def test_every_command_of_the_readme_is_run_by_these_tests() -> None:
    assert all(c.startswith("brand-voice ") for c in COMMANDS), "a new kind of command needs a test"
    described = {c.split()[1] for c in COMMANDS}
    assert described >= set("brand generate screen review snapshot distill serve write evaluate status app".split())


def test_the_house_in_the_readme_is_the_one_on_the_disk() -> None:
    told = README.split("## The house")[1].split("      errors\n")[1].split("\n\n")[0].split()
    package = ROOT / "brand_voice"
    here = {p.name.removesuffix(".py") + "/" * p.is_dir() for p in package.iterdir() if p.name[0] not in "_."}
    assert ["errors", *told] == list(dict.fromkeys(["errors", *told]))
    assert {"errors", *told} == {name for name in here if (package / name.rstrip("/")).exists() or name in here}
    for name in ("prompts", "data", "benchmarks", "tests", "Makefile", "constraints.txt", "app.py", "LICENSE"):
        assert (ROOT / name).exists()
        assert name in README


def test_linked_files_exist() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
