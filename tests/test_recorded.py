"""The recorded teacher, asked through the same door as any other model."""

import json
import socket
import threading
from collections.abc import Iterator

import httpx2
import pytest

from brand_voice.brand import load_brand
from brand_voice.chat import Chat, brief_metadata, is_paid, price
from brand_voice.errors import ChatError, ServeError
from brand_voice.prompts import teacher_messages
from brand_voice.recorded import candidates_recorded, price_list, recorded_teacher
from brand_voice.records import Brief, Completion, Message, Sampling
from brand_voice.settings import Endpoint

FOLDER = load_brand("tidewater")
BRAND, BRIEFS, RECORDINGS = FOLDER.guide, FOLDER.briefs, FOLDER.recordings
SAMPLING = Sampling()
TEXTS = {(r.brief_id, r.candidate): r.text for r in RECORDINGS}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    with recorded_teacher(BRAND, BRIEFS, RECORDINGS) as running:
        yield running


@pytest.fixture(scope="module")
def chat(endpoint: Endpoint) -> Iterator[Chat]:
    with Chat(endpoint) as open_chat:
        yield open_chat


def ask(chat: Chat, brief: Brief, candidate: int = 0) -> Completion:
    return chat.complete(teacher_messages(BRAND, brief), SAMPLING, metadata=brief_metadata(brief, candidate))


def test_every_recorded_completion_is_replayed(chat: Chat) -> None:
    counts = candidates_recorded(BRIEFS, RECORDINGS)
    for brief in BRIEFS:
        for candidate in range(counts[brief.hash]):
            assert ask(chat, brief, candidate).text == TEXTS[brief.id, candidate]
    assert sum(counts.values()) == len(RECORDINGS)


def test_neither_id_nor_sku_nor_prompt_wording_enters_the_key(chat: Chat) -> None:
    brief = BRIEFS[0]
    renamed = brief.model_copy(update={"id": "mine-1", "product": brief.product.model_copy(update={"sku": None})})
    reworded = (Message(role="user", content="Please write something."),)
    completion = chat.complete(reworded, SAMPLING, metadata=brief_metadata(renamed, 0))
    assert completion.text == TEXTS[brief.id, 0]


def test_an_unknown_brief_is_told_the_nearest_recorded_one(chat: Chat) -> None:
    brief = BRIEFS[4].model_copy(update={"key_message": BRIEFS[4].key_message + ", every morning"})
    with pytest.raises(ChatError) as caught:
        ask(chat, brief)
    assert caught.value.kind == "no_recording"
    for named in (brief.id, brief.product.name, brief.channel, "no recording"):
        assert named in str(caught.value)
    assert "teacher" in caught.value.remedy


def test_a_candidate_that_was_not_recorded_is_told_how_many_there_are(chat: Chat) -> None:
    with pytest.raises(ChatError, match="candidate 7 was not recorded: this brief has 2") as caught:
        ask(chat, BRIEFS[0], 7)
    assert caught.value.kind == "no_recording"


def test_a_stream_is_the_same_text(chat: Chat) -> None:
    brief = BRIEFS[0]
    *parts, completion = chat.stream(teacher_messages(BRAND, brief), SAMPLING, metadata=brief_metadata(brief, 0))
    assert len(parts) > 10
    assert "".join(map(str, parts)) == TEXTS[brief.id, 0]
    assert completion == ask(chat, brief).model_copy(update={"latency_ms": completion.latency_ms})  # type: ignore[union-attr]


def test_tokens_are_estimated_and_priced_by_the_sourced_list(chat: Chat, endpoint: Endpoint) -> None:
    completion = ask(chat, BRIEFS[0])
    assert completion.usage.completion_tokens == -(-len(completion.text) // 4)
    stand_in = price_list().stand_in()
    per_million = (stand_in.usd_per_million_in, stand_in.usd_per_million_out)
    expected = sum(p * n for p, n in zip(per_million, completion.usage.model_dump().values(), strict=True)) / 1e6
    assert price(endpoint, completion.usage) == pytest.approx(expected)
    assert endpoint.is_recorded and endpoint.distillation_permitted and not is_paid(endpoint)


def test_every_price_is_dated_and_sourced() -> None:
    prices = price_list().prices
    assert all(p.url.startswith("https://") and p.source and len(p.as_of) == len("2026-11") for p in prices)
    assert any(p.has_open_weights for p in prices)


@pytest.mark.parametrize("key", ["", "Bearer wrong"])
def test_another_key_is_refused(endpoint: Endpoint, key: str) -> None:
    answer = httpx2.get(f"{endpoint.base_url}/models", headers={"Authorization": key}, trust_env=False)
    assert answer.status_code == 401


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", json.dumps({"metadata": {}, "messages": []}).encode()])
def test_a_request_it_cannot_read_gets_an_error_object(endpoint: Endpoint, body: bytes) -> None:
    assert endpoint.api_key
    headers = {"Authorization": f"Bearer {endpoint.api_key.get_secret_value()}"}
    url = f"{endpoint.base_url}/chat/completions"
    answer = httpx2.post(url, content=body, headers=headers, trust_env=False)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


def test_it_leaves_no_thread_and_no_listener_behind() -> None:
    before = set(threading.enumerate())
    with recorded_teacher(BRAND, BRIEFS[:2], RECORDINGS) as endpoint, Chat(endpoint) as chat:
        ask(chat, BRIEFS[0])
        started = set(threading.enumerate()) - before
    for thread in started:
        thread.join(5)
    assert started and not any(thread.is_alive() for thread in started)
    with pytest.raises(ChatError), Chat(endpoint) as chat:
        chat.check()


def test_a_taken_port_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ServeError, match=str(port)), recorded_teacher(BRAND, BRIEFS, RECORDINGS, port=port):
            pass
