"""`/v1/copy` while engines die, guides change and clients go; against a scripted server."""

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from gateways import BRAND, COPY, Running, gateway
from paper_adapter import calibrate_on_paper
from servers import KEY, TEXT, USAGE, misbehaving_server

from brand_voice.brand import load_brand
from brand_voice.daemons import Crew
from brand_voice.workspace import Workspace

BRIEF = {"channel": "tagline", "locale": "en-US", "product_name": "Slow Mug", "key_message": "slow mornings"}


@pytest.fixture
def open_gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    monkeypatch.setenv("SCRIPTED_KEY", KEY)
    with misbehaving_server() as server:
        yield lambda **settings: gateway(server, tmp_path, **settings)


def asked(running: Running, model: str) -> int:
    return sum(body["model"] == model for body in running.engines._upstream.seen.bodies)


def test_an_engine_that_dies_and_returns_takes_no_teachers_answer_along(open_gateway: Callable[..., Any]) -> None:
    with open_gateway(default="tidewater@blocked", teacher="slow") as running, ThreadPoolExecutor(2) as pool:
        first = pool.submit(running.ask, path=COPY, **BRIEF)
        running.until(lambda: asked(running, "late") == 1)
        running.engines.kill()
        running.until(lambda: len(running.engines.servers) == 2 and running.client.get("/health").is_success)
        second = pool.submit(running.ask, path=COPY, **BRIEF | {"key_message": "slow evenings"})
        running.until(lambda: asked(running, "late") == 2)
        running.engines._upstream.release.set()
        for told in (first.result().json(), second.result().json()):
            assert (told["by"], told["text"], told["takes"]) == ("teacher", TEXT, 3)
            assert told["usage"]["completion_tokens"] == 3 * USAGE["completion_tokens"]
        running.until(lambda: len(running.store.served(BRAND)) == 2)
        assert {row.adapter for row in running.store.served(BRAND)} == {"tidewater@blocked"}, "it was asked first"


def test_an_engine_that_is_dying_is_asked_again_and_a_well_one_is_not(open_gateway: Callable[..., Any]) -> None:
    with open_gateway(default="tidewater@server-error-once") as running:
        running.engines._upstream.is_well = False
        told = running.ask(path=COPY, **BRIEF)
        assert (told.status_code, told.json()["text"]) == (200, TEXT)
    with open_gateway(default="tidewater@server-error") as running:
        running.engines._upstream.is_well = True
        assert running.ask(path=COPY, **BRIEF).status_code == 502


def test_a_brief_that_is_too_long_is_the_clients_to_shorten(open_gateway: Callable[..., Any]) -> None:
    with open_gateway(default="tidewater@rejects") as running:
        refused = running.ask(path=COPY, **BRIEF)
        assert refused.status_code == 400
        assert "shorten the brief" in refused.json()["error"]["message"]


def test_a_slow_teacher_leaves_time_for_the_students_text(open_gateway: Callable[..., Any]) -> None:
    with open_gateway(default="tidewater@blocked", teacher="slow", deadline_s=2) as running:
        told = running.ask(path=COPY, **BRIEF)
        assert told.status_code == 200
        assert (told.json()["by"], told.json()["status"]) == ("best_of", "blocked")
        assert "the teacher did not answer in time" in told.json()["why"]


def test_a_rule_and_a_calibration_count_while_the_gateway_runs(
    open_gateway: Callable[..., Any], tmp_path: Path
) -> None:
    with open_gateway(default="tidewater@uncertain") as running:
        assert running.ask(path=COPY, **BRIEF).json()["status"] == "ok"
        workspace = Workspace(tmp_path)
        calibrate_on_paper(workspace, "tidewater@uncertain")
        assert "too uncertain (-2.50, wanted -1.00)" in running.ask(path=COPY, **BRIEF).json()["why"]
        folder = shutil.copytree(load_brand(BRAND).path, workspace.brands / BRAND)
        guide = folder / "brand.yaml"
        guide.write_text(guide.read_text().replace("term: artisanal", "term: cream"))
        told = running.ask(path=COPY, **BRIEF).json()
        assert told["status"] == "blocked"
        guide.write_text("broken")
        assert running.ask(path=COPY, **BRIEF).json()["guide_version"] == told["guide_version"]
        assert any("tidewater is not taken" in line for line in running.engines.told)


def test_at_its_end_a_process_waits_for_no_text_under_way() -> None:
    script = (
        "import threading; from brand_voice.daemons import Crew; begun = threading.Event(); "
        "Crew(2, 'copy').submit(lambda: (begun.set(), threading.Event().wait())); begun.wait()"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_a_crew_drops_what_is_not_begun_and_raises_what_was_raised() -> None:
    crew, written = Crew(1, "copy"), list[int]()
    assert crew.submit(lambda: 7).result() == 7
    with pytest.raises(ZeroDivisionError):
        crew.submit(lambda: 1 // 0).result()
    begun, gate = threading.Event(), threading.Event()
    under_way = crew.submit(lambda: begun.set() or gate.wait())
    assert begun.wait(10)
    queued = crew.submit(lambda: written.append(1))
    crew.close()
    gate.set()
    assert under_way.result()
    assert queued.cancelled() and not written
