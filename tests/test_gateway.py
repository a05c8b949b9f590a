"""The gateway before a scripted server: who is let in, who answers, what may be sent."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gateways import BRAND, CHAT, OK, Running, asked_for, error_of
from reports import an_adapter
from servers import TEXT

from brand_voice.api_keys import ApiKey, key_hash, new_key
from brand_voice.brand import load_brand
from brand_voice.context import Context
from brand_voice.errors import ServeError
from brand_voice.gateway.run import check_reach, choose, listening, ways
from brand_voice.live import Promotion
from brand_voice.settings import GatewaySettings, ServeSettings, Settings
from brand_voice.store.store import Store
from brand_voice.workspace import Workspace

A, B = "tidewater@01", "tidewater@02"
MESSAGES = CHAT["messages"]


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


def test_a_canary_that_has_no_room_is_told_and_claims_no_share(open_gateway: Callable[..., Any]) -> None:
    with open_gateway(is_lora=False) as running:
        running.promote(OK)
        running.promote(OK, canary="tidewater@uncounted", share=0.5)
        running.until(lambda: "tidewater@uncounted is not served" in running.fleet.trouble)
        assert any("tidewater@uncounted is not served" in line for line in running.engines.told)
        assert running.client.get("/health").json()["is_behind"] is True
        assert 'brand_voice_canary_share{brand="tidewater"} 0.0' in running.client.get("/metrics").text


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
        ({"stream": True, "stream_options": "x"}, "stream_options"),
        ({"chat_template": "{{ 1 }}"}, "unknown field 'chat_template'"),
        ({"tools": []}, "unknown field"),
        ({"model": 7}, "no model"),
    ],
)
def test_a_field_out_of_bounds_is_refused(shared: Running, fields: dict[str, Any], told: str) -> None:
    refused = shared.ask(**fields)
    assert refused.status_code == 400
    assert told in error_of(refused)["message"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 4_000, b'{"model": NaN}', b'{"n": "\\ud800"}'])
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
    assert shared.engines._upstream.seen.bodies[-1] == {
        "messages": MESSAGES,
        "temperature": 0.5,
        "max_tokens": 1_024,
        "model": OK,
    }


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
        ({"Host": "localhost:1", "Origin": "http://localhost:2"}, "wrong_origin"),
        ({"Host": "localhost:1", "Origin": "http://localhost"}, "wrong_origin"),
    ],
)
def test_pages_of_other_sites_are_kept_out(shared: Running, headers: dict[str, str], code: str) -> None:
    for path in ("/v1/models", "/health", "/metrics"):
        refused = shared.client.get(path, headers=headers)
        assert refused.status_code == 403
        assert error_of(refused)["code"] == code
        assert not any(name.lower().startswith("access-control") for name in refused.headers)
    for host, origin in (("localhost:1", "http://localhost:1"), ("localhost", "https://localhost")):
        assert shared.client.get("/v1/models", headers={"Host": host, "Origin": origin}).is_success


def test_a_name_behind_a_proxy_is_answered_when_it_is_listed_and_with_a_key(open_gateway: Callable[..., Any]) -> None:
    with open_gateway(hosts=["copy.example"]) as running:
        asked = {"Host": "copy.example"}
        assert running.client.get("/v1/models", headers=asked).status_code == 401
        running.store.add_key(ApiKey(name="shop"), key_hash(key := new_key()))
        asked["Authorization"] = f"Bearer {key}"
        assert running.client.get("/v1/models", headers=asked).is_success
        assert running.client.get("/v1/models", headers=asked | {"Host": "10.0.0.1"}).status_code == 403


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


@pytest.mark.parametrize("reached", [{"host": "0.0.0.0"}, {"hosts": ["copy.example"]}])
def test_other_machines_need_a_key_before_anything_starts(tmp_path: Path, reached: dict[str, Any]) -> None:
    settings = Settings(gateway=GatewaySettings.model_validate(reached))
    with Store.open(tmp_path / "db") as store:
        context = Context(Workspace(tmp_path), settings, load_brand(BRAND), store, list, print)
        with pytest.raises(ServeError, match="no API keys") as refused:
            check_reach(context)
        assert "keys add" in refused.value.remedy
        store.add_key(ApiKey(name="a"), "hash")
        check_reach(context)


@pytest.mark.parametrize(
    ("mode", "named", "is_several", "wanted"),
    [
        ("auto", (), True, (A, B)),
        ("auto", (B,), True, (A, B)),
        ("merged", (), False, (A, B)),
        ("merged", (B,), False, (B, A)),
    ],
)
def test_a_canary_counts_beside_what_is_live(
    tmp_path: Path, mode: str, named: tuple[str, ...], is_several: bool, wanted: tuple[str, ...]
) -> None:
    place = Workspace(tmp_path)
    for name in (A, B):
        an_adapter(place.adapters, name)
    settings = Settings(serve=ServeSettings.model_validate({"backend": "vllm", "mode": mode}))
    with Store.open(place.database) as store:
        context = Context(place, settings, load_brand(BRAND), store, list, print)
        store.promote(Promotion(brand=BRAND, act="promote", adapter=A, by="me"))
        store.promote(Promotion(brand=BRAND, act="canary", adapter=A, previous=A, canary=B, share=0.1, by="me"))
        chosen = choose(context, named)
        assert (chosen.is_several, chosen.wanted(context)) == (is_several, wanted)
        assert ways(context, chosen).most == (None if is_several else 1)


def test_a_taken_port_is_named() -> None:
    with listening(GatewaySettings()) as taken:
        taken.listen()
        with (
            pytest.raises(ServeError, match=str(taken.getsockname()[1])),
            listening(GatewaySettings(port=taken.getsockname()[1])),
        ):
            pass
