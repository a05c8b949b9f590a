"""What a gateway makes of engines: answers, streams and failures, restarts and promotions, texts for briefs."""

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
from gateways import BRAND, BRIEF, CHAT, COPY, OK, Running, asked_for, error_of
from servers import KEY, TEXT, USAGE

from brand_voice.api_keys import ApiKey, key_hash, new_key
from brand_voice.errors import ServeError
from brand_voice.serve import attach

MESSAGES = CHAT["messages"]


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


@pytest.mark.parametrize("model", ["broken", "unfinished", "error-event"])
def test_a_stream_that_breaks_off_ends_with_an_error(open_gateway: Callable[..., Any], model: str) -> None:
    with open_gateway(default=f"tidewater@{model}") as running:
        *events, last = data_of(running.ask(stream=True))
        assert len(events) == 3 and last["error"]["code"] == "engine_error" and KEY not in str(last)
        running.until(lambda: bool(running.store.served(BRAND)))
        assert (running.store.served(BRAND)[0].status, running.store.served(BRAND)[0].why) == (502, "cut")


@pytest.mark.parametrize(
    ("model", "status", "last"),
    [("not-done", 200, TEXT), ("error-first-once", 200, TEXT), ("error-first", 503, "engine_unavailable")],
)
def test_how_a_stream_ends_is_read_from_its_events(
    open_gateway: Callable[..., Any], model: str, status: int, last: str
) -> None:
    with open_gateway(default=f"tidewater@{model}") as running:
        answer = running.ask(stream=True)
        assert answer.status_code == status
        events = [event for event in data_of(answer) if event != "[DONE]"]
        text = "".join(event["choices"][0]["delta"].get("content", "") for event in events)
        assert (text or error_of(answer)["code"]) == last
        running.until(lambda: bool(running.store.served(BRAND)))
        assert running.store.served(BRAND)[0].status == status


def test_the_limit_of_tokens_is_sent_where_the_request_has_none(open_gateway: Callable[..., Any]) -> None:
    with open_gateway(max_tokens=64) as running:
        seen = running.engines._upstream.seen.bodies
        running.ask()
        running.ask(max_completion_tokens=9)
        (engine,) = running.engines.servers
        engine.address = engine.address.model_copy(update={"max_model_len": 32})
        running.ask()
        assert [body.get("max_tokens") for body in seen] == [64, None, 32]


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
