"""The gateway before a scripted server: who is let in, who answers, what happens when nobody does."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
from gateways import BRAND, CHAT, COPY, OK, Running, gateway
from servers import KEY, TEXT, USAGE, Misbehaving, misbehaving_server

from brand_voice.api_keys import ApiKey, key_hash, new_key
from brand_voice.brand import load_brand
from brand_voice.context import Context
from brand_voice.errors import ServeError
from brand_voice.gateway.run import check_reach, listening
from brand_voice.serve import attach
from brand_voice.settings import GatewaySettings, Settings
from brand_voice.store.store import Store
from brand_voice.workspace import Workspace

BRIEF = {"channel": "tagline", "locale": "en-US", "product_name": "Slow Mug", "key_message": "slow mornings"}
MESSAGES = CHAT["messages"]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Misbehaving]:
    with misbehaving_server() as server:
        yield server


@pytest.fixture(scope="module")
def shared(upstream: Misbehaving, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with gateway(upstream, tmp_path_factory.mktemp("shared"), max_body_bytes=4_096) as running:
        yield running


@pytest.fixture
def open_gateway(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """A gateway of one test's own, with a server of its own."""
    with misbehaving_server() as server:
        yield lambda **settings: gateway(server, tmp_path, **settings)


def error_of(response: httpx2.Response) -> dict[str, Any]:
    """The error in OpenAI's shape."""
    (error,) = response.json().values()
    assert error.keys() == {"message", "type", "param", "code"}
    assert "try: " in error["message"] or error["code"] in {"not_found", "internal_error"}
    return error


def asked_for(running: Running) -> str:
    return running.engines._upstream.seen.bodies[-1]["model"]


# who answers


def test_the_alias_is_resolved_when_a_request_arrives(shared: Running) -> None:
    assert shared.ask().json()["choices"][0]["message"]["content"] == TEXT
    assert asked_for(shared) == OK
    shared.promote("tidewater@logprobs")
    shared.until(lambda: "tidewater@logprobs" in shared.engines.loaded)
    assert shared.ask(logprobs=True).status_code == 200
    assert asked_for(shared) == "tidewater@logprobs"
    assert shared.ask(model=OK).status_code == 200
    assert asked_for(shared) == OK
    shared.promote(OK)
    assert shared.ask().status_code == 200
    assert asked_for(shared) == OK, "back at once: it is still loaded"
    assert len(shared.engines.started) == 1


def test_models_are_the_alias_and_its_adapters_and_nothing_else_answers(shared: Running) -> None:
    listed = [row["id"] for row in shared.client.get("/v1/models").json()["data"]]
    assert listed[0] == BRAND and OK in listed
    for name in ("gpt-4o", "base", "tidewater@nobody"):
        refused = shared.ask(model=name)
        assert refused.status_code == 404 and error_of(refused)["code"] == "model_not_found"


def test_a_canary_gets_its_share(open_gateway: Callable[..., Any]) -> None:
    with open_gateway() as running:
        running.promote(OK)
        running.promote(OK, canary="tidewater@uncounted", share=0.5)
        running.until(lambda: "tidewater@uncounted" in running.engines.loaded)
        assert all(running.ask().status_code == 200 for _ in range(100))
        asked = Counter(body["model"] for body in running.engines._upstream.seen.bodies)
        assert asked.keys() == {OK, "tidewater@uncounted"} and min(asked.values()) > 20
        assert 'brand_voice_canary_share{brand="tidewater"} 0.5' in running.client.get("/metrics").text


# what may be sent


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"n": 5}, "n is 5"),
        ({"n": True}, "n is True"),
        ({"max_tokens": 1_025}, "max_tokens is 1025"),
        ({"max_completion_tokens": -1}, "max_completion_tokens"),
        ({"messages": []}, "no messages"),
        ({"stream": "yes"}, "stream"),
        ({"chat_template": "{{ 1 }}"}, "unknown field 'chat_template'"),
        ({"tools": []}, "unknown field"),
        ({"model": 7}, "no model"),
    ],
)
def test_a_field_out_of_bounds_is_refused(shared: Running, fields: dict[str, Any], told: str) -> None:
    refused = shared.ask(**fields)
    assert refused.status_code == 400
    assert told in error_of(refused)["message"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 4_000, b'{"model": NaN}'])
def test_what_is_no_request_is_refused(shared: Running, content: bytes) -> None:
    refused = shared.client.post("/v1/chat/completions", content=content)
    assert refused.status_code == 400
    assert error_of(refused)["type"] == "invalid_request_error"


def test_a_large_body_is_refused_whether_its_length_is_told_or_not(shared: Running) -> None:
    large = json.dumps(CHAT | {"user": "x" * 5_000}).encode()
    for content in (large, iter([large[:3_000], large[3_000:]])):
        refused = shared.client.post("/v1/chat/completions", content=content)
        assert refused.status_code == 413
        assert error_of(refused)["code"] == "request_too_large"


def test_what_says_something_about_the_client_is_not_passed_on(shared: Running) -> None:
    assert shared.ask(user="ann@example.com", metadata={"a": "b"}, temperature=0.5, n=None).status_code == 200
    assert shared.engines._upstream.seen.bodies[-1] == {"messages": MESSAGES, "temperature": 0.5, "model": OK}


@pytest.mark.parametrize(
    "path",
    "/ /docs /openapi.json /v1/completions /v1/load_lora_adapter /tokenize /pause /v1/chat/completions/ /v1/".split(),
)
def test_no_other_path_is_there(shared: Running, path: str) -> None:
    for method in ("GET", "POST"):
        refused = shared.client.request(method, path, json=CHAT)
        assert refused.status_code == 404
        assert error_of(refused)["code"] == "not_found"
    assert shared.client.get("/v1/copy").status_code == 405


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Host": "evil.example"}, "wrong_host"),
        ({"Host": "127.0.0.1.evil.example:80"}, "wrong_host"),
        ({"Host": "[::bad"}, "wrong_host"),
        ({"Origin": "https://evil.example"}, "wrong_origin"),
        ({"Origin": "null"}, "wrong_origin"),
    ],
)
def test_pages_of_other_sites_are_kept_out(shared: Running, headers: dict[str, str], code: str) -> None:
    for path in ("/v1/models", "/health", "/metrics"):
        refused = shared.client.get(path, headers=headers)
        assert refused.status_code == 403
        assert error_of(refused)["code"] == code
        assert not any(name.lower().startswith("access-control") for name in refused.headers)
    assert shared.client.get("/v1/models", headers={"Host": "localhost:1", "Origin": "http://localhost"}).is_success


def test_a_name_behind_a_proxy_is_answered_when_it_is_listed(open_gateway: Callable[..., Any]) -> None:
    with open_gateway(hosts=["copy.example"]) as running:
        assert running.client.get("/v1/models", headers={"Host": "copy.example"}).is_success
        assert running.client.get("/v1/models", headers={"Host": "10.0.0.1"}).status_code == 403


# keys


def test_once_there_is_a_key_nobody_is_let_in_without_one(open_gateway: Callable[..., Any]) -> None:
    with open_gateway() as running:
        assert running.ask().status_code == 200
        key = new_key()
        running.store.add_key(ApiKey(name="Shop"), key_hash(key))
        for given in (None, "", "bv-wrong", key[:-1], "*"):
            refused = running.ask(key=given)
            assert refused.status_code == 401 and refused.headers["WWW-Authenticate"] == "Bearer"
            assert error_of(refused)["code"] == "invalid_api_key"
        assert running.client.get("/metrics").status_code == running.client.get("/v1/models").status_code == 401
        assert running.client.get("/health").status_code == 200
        assert running.ask(key=key).status_code == 200
        running.store.revoke_key("shop")
        assert running.ask(key=key).status_code == 401
        assert running.ask().status_code == 401, "revoking the last key opens nothing"


def test_a_key_asks_as_often_as_it_may(open_gateway: Callable[..., Any]) -> None:
    with open_gateway() as running:
        keys = {name: new_key() for name in ("slow", "fast")}
        running.store.add_key(ApiKey(name="slow", per_minute=3), key_hash(keys["slow"]))
        running.store.add_key(ApiKey(name="fast"), key_hash(keys["fast"]))
        assert [running.ask(key=keys["slow"]).status_code for _ in range(5)] == [200, 200, 200, 429, 429]
        refused = running.ask(key=keys["slow"])
        assert error_of(refused)["code"] == "rate_limit_exceeded"
        assert 0 < int(refused.headers["Retry-After"]) <= 60
        assert running.ask(key=keys["fast"]).status_code == 200
        told = running.client.get("/metrics", headers={"Authorization": f"Bearer {keys['slow']}"}).text
        assert 'brand_voice_refused_total{code="rate_limit_exceeded"} 3.0' in told


def test_other_machines_need_a_key_before_anything_starts(tmp_path: Path) -> None:
    settings = Settings(gateway=GatewaySettings(host="0.0.0.0"))
    with Store.open(tmp_path / "db") as store:
        context = Context(Workspace(tmp_path), settings, load_brand(BRAND), store, list, print)
        with pytest.raises(ServeError, match="no API keys") as refused:
            check_reach(context)
        assert "keys add" in refused.value.remedy
        store.add_key(ApiKey(name="a"), "hash")
        check_reach(context)


def test_a_taken_port_is_named() -> None:
    with listening(GatewaySettings()) as taken:
        taken.listen()
        with (
            pytest.raises(ServeError, match=str(taken.getsockname()[1])),
            listening(GatewaySettings(port=taken.getsockname()[1])),
        ):
            pass


# an engine that misbehaves


@pytest.mark.parametrize(
    ("model", "status", "code"),
    [
        ("html", 502, "engine_error"),
        ("no-choices", 502, "engine_error"),
        ("server-error", 502, "engine_error"),
        ("unauthorised", 502, "engine_error"),
        ("rate-limited", 502, "engine_error"),
        ("hang-up", 503, "engine_unavailable"),
        ("hang-up-once", 200, ""),
    ],
)
def test_a_failing_engine_gets_an_error_in_the_protocol(
    open_gateway: Callable[..., Any], model: str, status: int, code: str
) -> None:
    with open_gateway(default=f"tidewater@{model}") as running:
        answer = running.ask()
        assert answer.status_code == status
        assert status == 200 or error_of(answer)["code"] == code
        assert (status == 503) == ("Retry-After" in answer.headers)
        assert KEY not in answer.text


def test_a_request_that_the_engine_refuses_is_the_clients_fault(open_gateway: Callable[..., Any]) -> None:
    with open_gateway(default="tidewater@renamed-limit") as running:
        refused = running.ask(max_tokens=5)
    assert refused.status_code == 400
    assert error_of(refused)["type"] == "invalid_request_error"


def test_an_engine_that_hangs_costs_the_deadline(open_gateway: Callable[..., Any]) -> None:
    with open_gateway(default="tidewater@hang", deadline_s=0.5) as running:
        for fields in ({}, {"stream": True}):
            late = running.ask(**fields)
            assert late.status_code == 504 and error_of(late)["code"] == "timeout"


# streams


def data_of(response: httpx2.Response) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: ")]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def test_a_stream_passes_and_counts_only_for_those_who_asked(shared: Running) -> None:
    plain = shared.ask(stream=True)
    assert plain.headers["Content-Type"].startswith("text/event-stream")
    *events, done = data_of(plain)
    assert "".join(event["choices"][0]["delta"].get("content", "") for event in events) == TEXT
    assert done == "[DONE]" and not any("usage" in event for event in events)
    assert data_of(shared.ask(stream=True, stream_options={"include_usage": True}))[-2]["usage"] == USAGE


@pytest.mark.parametrize("model", ["broken", "unfinished"])
def test_a_stream_that_breaks_off_ends_with_an_error(open_gateway: Callable[..., Any], model: str) -> None:
    with open_gateway(default=f"tidewater@{model}") as running:
        *events, last = data_of(running.ask(stream=True))
        assert len(events) == 3 and last["error"]["code"] == "engine_error"
        running.until(lambda: bool(running.store.served(BRAND)))
        assert (running.store.served(BRAND)[0].status, running.store.served(BRAND)[0].why) == (502, "cut")


def test_a_client_that_goes_away_takes_its_request_along(open_gateway: Callable[..., Any]) -> None:
    with open_gateway(default="tidewater@drip") as running:
        with running.client.stream("POST", "/v1/chat/completions", json=CHAT | {"stream": True}) as response:
            assert next(response.iter_lines()).startswith("data: ")
        running.until(running.engines._upstream.left.is_set)
        with pytest.raises(httpx2.ReadTimeout):
            running.client.post("/v1/chat/completions", json=CHAT, timeout=0.2)
        running.until(lambda: len(running.store.served(BRAND)) == 2)
        assert {(row.status, row.why) for row in running.store.served(BRAND)} == {(499, "client gone")}
        running.until(lambda: not any(engine.in_flight for engine in running.fleet.engines))


# what is remembered


def test_the_log_holds_who_and_how_much_but_no_text_and_no_key(
    open_gateway: Callable[..., Any], tmp_path: Path
) -> None:
    with open_gateway() as running:
        key = new_key()
        running.store.add_key(ApiKey(name="Shop"), key_hash(key))
        running.ask(key=key)
        running.ask(key=key, stream=True)
        running.ask(key=key, model=key)
        running.ask(key=key, path=COPY, **BRIEF)
        running.until(lambda: len(running.store.served(BRAND)) == 4)
        rows = running.store.served(BRAND)[::-1]
    assert [(row.key, row.status, row.adapter) for row in rows[:3]] == [
        ("Shop", 200, OK),
        ("Shop", 200, OK),
        ("Shop", 404, None),
    ]
    assert rows[2].model == "unknown" and {row.model for row in rows[:2]} == {BRAND}
    assert all((row.prompt_tokens, row.completion_tokens) == (100, 10) for row in rows[:2])
    assert rows[0].latency_ms > 0
    files = b"".join(file.read_bytes() for file in tmp_path.glob("brand_voice.db*"))
    assert b"Shop" in files
    for secret in (key, KEY, MESSAGES[0]["content"]):
        assert secret.encode() not in files
    assert not any(TEXT in row.model_dump_json() or BRIEF["key_message"] in row.model_dump_json() for row in rows)


def test_metrics_count_by_adapter_and_status(open_gateway: Callable[..., Any]) -> None:
    with open_gateway() as running:
        running.ask()
        running.ask(n=9)
        told = running.client.get("/metrics").text
    labels = f'adapter="{OK}",brand="{BRAND}"'
    assert f'brand_voice_requests_total{{{labels},path="/v1/chat/completions",status="200"}} 1.0' in told
    assert re.search(r'requests_total\{adapter="none".+status="400"\} 1\.0', told)
    assert f'brand_voice_tokens_total{{{labels},kind="completion"}} 10.0' in told
    assert "brand_voice_request_seconds_bucket{" in told and "brand_voice_engine_up 1.0" in told


# engines that die, and promotions


def test_requests_wait_for_an_engine_that_is_started_again(open_gateway: Callable[..., Any], tmp_path: Path) -> None:
    with open_gateway() as running, ThreadPoolExecutor(20) as pool:
        before = attach(tmp_path / "server.json")
        running.engines.may_start.clear()
        running.engines.kill()
        answers = [pool.submit(running.ask) for _ in range(10)] + [pool.submit(running.ask, stream=True)]
        written = pool.submit(running.ask, path=COPY, **BRIEF)
        running.until(lambda: len(running.engines.started) == 2)
        health = running.client.get("/health")
        assert (health.status_code, health.json()["status"]) == (503, "restarting")
        assert not any(answer.done() for answer in answers)
        running.engines.may_start.set()
        assert {answer.result().status_code for answer in [*answers, written]} == {200}
        assert "brand_voice_engine_restarts 1.0" in running.client.get("/metrics").text
        after = attach(tmp_path / "server.json")
        assert before is not None and after is not None
        assert after.address.pid == running.engines.servers[-1].address.pid != before.address.pid
    assert not (tmp_path / "server.json").exists()


def test_who_cannot_wait_is_told_when_to_come_back(open_gateway: Callable[..., Any]) -> None:
    with open_gateway(deadline_s=0.3) as running:
        running.engines.may_start.clear()
        running.engines.kill()
        for fields in ({}, {"stream": True}, {"path": COPY} | BRIEF):
            refused = running.ask(**fields)
            assert refused.status_code == 503
            assert int(refused.headers["Retry-After"]) >= 1
            assert error_of(refused)["code"] == "engine_unavailable"


def test_merged_weights_are_promoted_by_a_second_engine(open_gateway: Callable[..., Any]) -> None:
    former = "tidewater@hang-after-one"
    with open_gateway(is_lora=False, default=former) as running, ThreadPoolExecutor(2) as pool:
        upstream = running.engines._upstream
        assert running.ask().status_code == 200
        before = pool.submit(running.ask)
        running.until(lambda: len(upstream.seen.bodies) == 2)
        running.engines.may_start.clear()
        running.promote(OK)
        running.until(lambda: len(running.engines.started) == 2)
        meanwhile = pool.submit(running.ask)
        running.until(lambda: len(upstream.seen.bodies) == 3)
        assert asked_for(running) == former, "the new one has not answered yet"
        running.engines.may_start.set()
        running.until(lambda: running.fleet.engine(OK) is not None)
        assert running.ask().status_code == 200 and asked_for(running) == OK
        old, new = running.engines.servers
        assert old.is_alive and not before.done(), "it has not finished yet"
        upstream.release.set()
        assert before.result().status_code == meanwhile.result().status_code == 200
        running.until(lambda: not old.is_alive)
        assert new.is_alive


def test_a_promotion_that_fails_leaves_the_old_one_answering(open_gateway: Callable[..., Any]) -> None:
    with open_gateway() as running:

        def fails(*_: Any) -> Any:
            raise ServeError("it is damaged", remedy="train again")

        running.fleet._ways = running.fleet._ways._replace(load=fails, start=fails)
        running.promote("tidewater@broken")
        running.until(lambda: running.fleet.trouble == "it is damaged")
        assert running.ask().status_code == 200
        assert running.client.get("/health").json() == {"status": "ok", "restarts": 0, "is_behind": True}
        assert any("train again" in line for line in running.engines.told)


# copy


def test_a_brief_gets_text_findings_and_who_wrote_it(shared: Running) -> None:
    told = shared.ask(path=COPY, **BRIEF).json()
    assert (told["text"], told["status"], told["by"], told["takes"]) == (TEXT, "ok", "student", 1)
    assert told["model"] == OK and told["usage"] == {"prompt_tokens": 100, "completion_tokens": 10}
    assert told["why"] and told["digital_source_type"].endswith("trainedAlgorithmicMedia")
    prompt = shared.engines._upstream.seen.bodies[-1]["messages"][0]["content"]
    assert "Slow Mug" in prompt and "slow mornings" in prompt


def test_a_blocked_text_is_asked_for_once_more_and_says_so(shared: Running) -> None:
    told = shared.ask(path=COPY, **BRIEF, must_include=["Slow Mug"], model=BRAND).json()
    assert (told["status"], told["takes"]) == ("blocked", 2)
    assert any(finding["severity"] == "block" for finding in told["findings"])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"channel": "fax"}, "channel: saw 'fax'"),
        ({"key_message": None}, "key_message: missing"),
        ({"colour": "red"}, "colour"),
        ({"facts": [1]}, "facts: expected text"),
        ({"locale": "fr-FR"}, "locale"),
    ],
)
def test_a_brief_that_is_none_is_refused_with_its_field(shared: Running, change: dict[str, Any], told: str) -> None:
    refused = shared.ask(path=COPY, **BRIEF | change)
    assert refused.status_code == 400 and error_of(refused)["code"] == "invalid_brief"
    assert told in error_of(refused)["message"]


def test_the_teacher_writes_where_no_engine_does(
    open_gateway: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCRIPTED_KEY", KEY)
    with open_gateway(default="tidewater@hang-up", teacher="scripted", deadline_s=4) as running:
        running.engines.may_start.clear()
        running.engines.kill()
        told = running.ask(path=COPY, **BRIEF).json()
        assert (told["by"], told["text"], told["model"]) == ("teacher", TEXT, "ok")
        assert running.ask(path=COPY, **BRIEF, model="tidewater@nobody").status_code == 404
        running.until(lambda: len(running.store.served(BRAND)) == 2)
        assert running.store.served(BRAND)[1].adapter == "teacher"
        assert len(running.store.escalations(BRAND)) == 1


def test_an_adapter_asked_for_by_name_does_not_stand_in_for_what_is_live(open_gateway: Callable[..., Any]) -> None:
    with open_gateway(is_lora=False, named=(OK,)) as running:
        assert running.ask().status_code == 200
        running.promote("tidewater@other")
        running.until(lambda: "tidewater@other is not served" in running.fleet.trouble)
        refused = running.ask()
        assert refused.status_code == 404 and "tidewater@other is live and not served" in error_of(refused)["message"]
        assert running.ask(model=OK).status_code == 200
        assert running.client.get("/health").status_code == 503


def test_beyond_so_many_at_a_time_nobody_waits(open_gateway: Callable[..., Any]) -> None:
    with open_gateway(default="tidewater@hang-after-one", max_in_flight=1) as running, ThreadPoolExecutor(1) as pool:
        assert running.ask().status_code == 200
        hanging = pool.submit(running.ask)
        running.until(lambda: len(running.engines._upstream.seen.bodies) == 2)
        refused = running.ask()
        assert refused.status_code == 503 and refused.headers["Retry-After"] == "1"
        assert running.client.get("/v1/models").status_code == 200
        running.engines._upstream.release.set()
        hanging.result()
