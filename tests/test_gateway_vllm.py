"""`brand-voice serve` as a user meets it: the command, a real vLLM with adapters, and other people's clients."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import httpx2
import openai
import pytest
from processes import wait_until_gone
from tiny import tiny_adapter

from brand_voice.live import Promotion
from brand_voice.serve import attach
from brand_voice.store.store import Store
from brand_voice.workspace import Workspace

SETTINGS = """
[serve]
mode = "lora"
backend = "vllm"
enforce_eager = true
[gateway]
deadline_s = 240
"""
MESSAGES = [{"role": "user", "content": "A line about mugs."}]
CHAT = {"model": "tidewater", "messages": MESSAGES, "max_tokens": 40}


class Served(NamedTuple):
    """The command, running."""

    url: str
    one: str
    two: str
    store: Store
    place: Workspace
    process: subprocess.Popen[str]

    def promote(self, adapter: str) -> None:
        previous = self.store.standing("tidewater").live
        act = "rollback" if adapter == self.one and previous else "promote"
        self.store.promote(Promotion(brand="tidewater", act=act, adapter=adapter, previous=previous, by="me"))

    def ask(self, **fields: object) -> httpx2.Response:
        return httpx2.post(f"{self.url}/chat/completions", json=CHAT | fields, timeout=300, trust_env=False)


@pytest.fixture(scope="module")
def served(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    place = Workspace(tmp_path_factory.mktemp("served"))
    one, two = (tiny_adapter(place.adapters, base, seed=seed).name for seed in (1, 2))
    place.settings_file.write_text(SETTINGS)
    command = [sys.executable, "-c", "from brand_voice.cli.main import main; main()", "serve", "--brand", "tidewater"]
    with Store.open(place.database) as store:
        store.promote(Promotion(brand="tidewater", act="promote", adapter=one, by="me"))
        process = subprocess.Popen([*command, "--workspace", str(place.root)], stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        told = []
        for line in process.stderr:
            told.append(line)
            if "serving tidewater at " in line:
                break
        else:
            pytest.fail("".join(told))
        url = told[-1].split(" at ")[1].split(";")[0]
        running = attach(place.server_file)
        assert running is not None
        yield Served(url, one, two, store, place, process)
        pid = json.loads(place.server_file.read_bytes())["pid"]
        process.send_signal(signal.SIGINT)
        process.stderr.read()
        assert process.wait(60) == 130
        assert not place.server_file.exists()
        wait_until_gone(pid)


def test_the_official_client_lists_asks_streams_and_understands_errors(served: Served) -> None:
    client = openai.OpenAI(base_url=served.url, api_key="none", max_retries=0)
    assert [model.id for model in client.models.list()][:2] == ["tidewater", served.one]
    whole = client.chat.completions.create(model="tidewater", messages=MESSAGES, max_tokens=20)
    assert whole.model == served.one and whole.choices[0].message.content
    assert whole.usage is not None and whole.usage.completion_tokens > 1
    pieces = client.chat.completions.create(
        model="tidewater", messages=MESSAGES, max_tokens=20, stream=True, stream_options={"include_usage": True}
    )
    *chunks, last = pieces
    assert len(chunks) > 2 and last.usage is not None
    with pytest.raises(openai.NotFoundError, match="there are: tidewater"):
        client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    with pytest.raises(openai.BadRequestError, match="unknown field"):
        client.chat.completions.create(model="tidewater", messages=MESSAGES, tools=[])
    with pytest.raises(openai.NotFoundError):
        client.completions.create(model="tidewater", prompt="x")


def test_curl_asks_for_a_chat_a_stream_and_copy(served: Served) -> None:
    def curl(path: str, body: dict[str, object]) -> str:
        options = ["--silent", "--no-buffer", "--fail-with-body", "--noproxy", "*", "--json", json.dumps(body)]
        return subprocess.run(
            ["curl", *options, served.url + path], check=True, capture_output=True, text=True, timeout=100
        ).stdout

    assert json.loads(curl("/chat/completions", CHAT))["model"] == served.one
    assert curl("/chat/completions", CHAT | {"stream": True}).rstrip().endswith("data: [DONE]")
    brief = {"channel": "tagline", "locale": "en-US", "product_name": "Slow Mug", "key_message": "slow mornings"}
    told = json.loads(curl("/copy", brief))
    assert told["text"] and told["model"] == served.one and told["by"] in {"student", "best_of"}


def test_langchain_asks_and_streams(served: Served) -> None:
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(model="tidewater", base_url=served.url, api_key="none", max_tokens=20, max_retries=0, n=1)
    answer = model.invoke("A line about mugs.")
    assert answer.content and answer.response_metadata["model_name"] == served.one
    assert answer.usage_metadata is not None and answer.usage_metadata["output_tokens"] > 1
    assert "".join(str(chunk.content) for chunk in model.stream("A line about mugs."))


def test_the_engine_loads_adapters_only_for_the_gateway(served: Served) -> None:
    running = attach(served.place.server_file)
    assert running is not None
    root = running.base_url.removesuffix("/v1")
    wanted = {"lora_name": "x", "lora_path": "/", "name": "x", "src": "/"}
    for path in ("/v1/load_lora_adapter", "/v1/unload_lora_adapter", "/adapters"):
        assert httpx2.post(root + path, json=wanted, trust_env=False).status_code in (401, 404), path
        assert httpx2.post(served.url.removesuffix("/v1") + path, json=wanted, trust_env=False).status_code == 404


def test_promotion_and_rollback_under_load_lose_no_request(served: Served) -> None:
    with ThreadPoolExecutor(100) as pool:
        waves = [pool.submit(served.ask) for _ in range(100)]
        waves[0].result()
        served.promote(served.two)
        while waves[-1].done() is False or waves[-1].result().json()["model"] != served.two:
            waves.append(pool.submit(served.ask))
            waves[-1].result()
        waves += [pool.submit(served.ask) for _ in range(100)]
        served.promote(served.one)
        waves += [pool.submit(served.ask, stream=number % 2 == 0) for number in range(100)]
        answers = [wave.result() for wave in waves]
    assert Counter(answer.status_code for answer in answers) == {200: len(answers)}
    who = Counter(name for answer in answers for name in (served.one, served.two) if name in answer.text)
    assert who.total() == len(answers) and min(who.values()) >= 1
    assert all(served.one in answer.text for answer in answers[-100:]), "a rollback counts at once"
    assert json.loads(served.place.server_file.read_bytes())["models"][:2] == [served.two, served.one]


def test_an_engine_that_is_killed_costs_time_and_a_stream_its_end(served: Served) -> None:
    running = attach(served.place.server_file)
    assert running is not None
    lines: list[str] = []
    # Else it would have ended before the kill.
    slow = {"n": 4, "max_tokens": 900, "temperature": 2, "logprobs": True, "top_logprobs": 20}
    with (
        ThreadPoolExecutor(20) as pool,
        httpx2.stream(
            "POST",
            f"{served.url}/chat/completions",
            json=CHAT | slow | {"stream": True},
            timeout=300,
            trust_env=False,
        ) as stream,
    ):
        coming = stream.iter_lines()
        lines.append(next(coming))
        os.killpg(running.address.pid, signal.SIGKILL)
        answers = [pool.submit(served.ask) for _ in range(20)]
        lines += list(coming)
        assert {answer.result().status_code for answer in answers} == {200}
    assert "data: [DONE]" not in lines and any('"error"' in line for line in lines)
    assert served.ask().json()["model"] == served.one
    assert "engine_restarts 1.0" in httpx2.get(served.url.replace("/v1", "/metrics"), trust_env=False).text
