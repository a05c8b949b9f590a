"""chat and protocol, against a real server that misbehaves."""

import gc
import logging
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import urlsplit

import psutil
import pytest

from brand_voice.chat import Chat, is_paid, price
from brand_voice.errors import ChatError
from brand_voice.protocol import retry_after_s
from brand_voice.records import Completion, Message, Sampling, Usage
from brand_voice.settings import Endpoint
from tests.servers import KEY, TEXT, Misbehaving, misbehaving_server

MESSAGES = (Message(role="system", content="Write copy."), Message(role="user", content="Café au lait"))
SAMPLING = Sampling(max_new_tokens=50)
COST_USD = (100 * 1.0 + 10 * 10.0) / 1e6


@pytest.fixture
def server() -> Iterator[Misbehaving]:
    with misbehaving_server() as running:
        yield running


class Rows:
    """A journal in memory, in the order of its commits."""

    def __init__(self) -> None:
        self.events: list[tuple[object, ...]] = []

    def begin(self, *, draft_id: str, endpoint: str, reserved_usd: float) -> int:
        self.events.append(("begin", draft_id, endpoint, reserved_usd))
        return len([e for e in self.events if e[0] == "begin"])

    def answered(self, attempt: int, *, raw: str) -> None:
        self.events.append(("answered", attempt, raw))

    def finish(self, attempt: int, *, outcome: str, cost_usd: float | None) -> None:
        self.events.append(("finish", attempt, outcome, cost_usd))

    def outcomes(self) -> list[tuple[object, ...]]:
        return [event[2:] for event in self.events if event[0] == "finish"]

    def reserved(self) -> float:
        return max(float(str(event[3])) for event in self.events if event[0] == "begin")


def ask(endpoint: Endpoint, journal: Rows | None = None) -> Completion:
    with Chat(endpoint) as chat:
        return chat.complete(MESSAGES, SAMPLING, journal=journal, draft_id="d1")


def test_an_answer_comes_with_its_tokens_and_its_price(server: Misbehaving) -> None:
    endpoint = server.endpoint("ok", chat_template_kwargs={"enable_thinking": False})
    completion = ask(endpoint)
    assert (completion.text, completion.model, completion.usage) == (
        TEXT,
        "served",
        Usage(prompt_tokens=100, completion_tokens=10),
    )
    assert price(endpoint, completion.usage) == pytest.approx(COST_USD)
    assert completion.latency_ms > 0
    body = server.seen.bodies[0]
    assert body["messages"][1] == {"role": "user", "content": "Café au lait"}
    assert body["chat_template_kwargs"] == {"enable_thinking": False}
    assert body["max_tokens"] == 50
    assert not {"metadata", "repetition_penalty", "frequency_penalty", "seed"} & body.keys()


def test_a_frequency_penalty_is_sent_to_whoever_knows_it(server: Misbehaving) -> None:
    for knows in (True, False):
        with Chat(server.endpoint("ok", knows_frequency_penalty=knows)) as chat:
            chat.complete(MESSAGES, Sampling(frequency_penalty=0.6))
    assert [body.get("frequency_penalty") for body in server.seen.bodies] == [0.6, None]


@pytest.mark.parametrize(
    ("model", "kind", "requests"),
    [
        ("rate-limited", "rate_limited", 2),
        ("rate-limited-for-an-hour", "rate_limited", 1),
        ("quota", "quota", 1),
        ("unauthorised", "rejected", 1),
        ("server-error", "server_error", 2),
        ("gateway-timeout", "timeout", 1),
        ("html", "bad_answer", 1),
        ("truncated-json", "bad_answer", 1),
        ("no-choices", "bad_answer", 1),
        ("unknown-finish", "bad_answer", 1),
        ("empty", "empty", 1),
        ("cut-off", "cut_off", 1),
        ("refusal", "refused", 1),
        ("filtered", "refused", 1),
        ("hang-up", "unreachable", 1),
    ],
)
def test_every_misbehaviour_is_a_typed_failure_without_the_key(
    server: Misbehaving, model: str, kind: str, requests: int
) -> None:
    rows = Rows()
    with pytest.raises(ChatError) as caught:
        ask(server.endpoint(model), rows)
    assert caught.value.kind == kind
    assert caught.value.remedy
    assert len(server.seen.bodies) == requests
    assert KEY not in f"{caught.value!s} {caught.value.remedy} {caught.value.__cause__} {rows.events}"
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("model", ["rate-limited-once", "server-error-once", "renamed-limit"])
def test_a_passing_failure_is_retried_and_each_attempt_has_a_row(server: Misbehaving, model: str) -> None:
    rows = Rows()
    assert ask(server.endpoint(model), rows).text == TEXT
    assert [event[0] for event in rows.events] == ["begin", "answered", "finish"] * 2
    assert rows.outcomes()[0][1] == 0.0
    assert rows.outcomes()[1] == ("ok", pytest.approx(COST_USD))


@pytest.mark.parametrize("model", ["html-once", "truncated-json-once", "no-choices-once", "hang-up-once", "hang-once"])
def test_an_unknown_outcome_is_retried_only_where_it_costs_nothing(server: Misbehaving, model: str) -> None:
    free = {"usd_per_million_in": 0, "usd_per_million_out": 0, "read_timeout_s": 0.3}
    assert ask(server.endpoint(model, **free)).text == TEXT
    rows = Rows()
    with pytest.raises(ChatError):
        ask(server.endpoint(model.removesuffix("-once"), read_timeout_s=0.3), rows)
    assert rows.outcomes()[0][1] == pytest.approx(rows.reserved())


def test_a_read_timeout_is_not_sent_again_and_keeps_its_reservation(server: Misbehaving) -> None:
    rows = Rows()
    with pytest.raises(ChatError, match="may have been billed") as caught:
        ask(server.endpoint("hang", read_timeout_s=0.3), rows)
    assert caught.value.kind == "timeout"
    assert len(server.seen.bodies) == 1
    assert [event[0] for event in rows.events] == ["begin", "finish"]
    assert rows.outcomes() == [("timeout", pytest.approx(rows.reserved()))]


def test_the_reservation_covers_the_real_cost(server: Misbehaving) -> None:
    rows = Rows()
    ask(server.endpoint("ok", usd_per_million_in=0), rows)
    assert rows.reserved() == pytest.approx(50 * 10.0 / 1e6)


def test_what_the_endpoint_did_not_count_keeps_its_reservation(server: Misbehaving) -> None:
    rows = Rows()
    ask(server.endpoint("uncounted"), rows)
    assert rows.outcomes() == [("ok", pytest.approx(rows.reserved()))]


def test_an_unusable_answer_is_booked_at_its_price(server: Misbehaving) -> None:
    rows = Rows()
    with pytest.raises(ChatError):
        ask(server.endpoint("cut-off"), rows)
    assert rows.outcomes() == [("cut_off", pytest.approx(COST_USD))]


def test_the_row_is_committed_before_the_server_sees_the_request(server: Misbehaving) -> None:
    rows = Rows()
    server.observe = lambda: [event[0] for event in rows.events]
    ask(server.endpoint("server-error-once"), rows)
    assert server.seen.observed == [["begin"], ["begin", "answered", "finish", "begin"]]
    assert rows.events[-2][2] and TEXT in str(rows.events[-2][2])


def test_the_raw_answer_is_committed_before_it_is_parsed(server: Misbehaving) -> None:
    rows = Rows()
    with pytest.raises(ChatError):
        ask(server.endpoint("truncated-json"), rows)
    assert [event[0] for event in rows.events] == ["begin", "answered", "finish"]
    assert str(rows.events[1][2]).endswith('[{"mess')


def test_a_dead_port_is_unreachable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        endpoint = Endpoint(name="dead", base_url=f"http://127.0.0.1:{port}/v1", model="m", max_attempts=2)
        rows = Rows()
        with pytest.raises(ChatError, match=r"cannot connect to 127\.0\.0\.1") as caught:
            ask(endpoint, rows)
        with pytest.raises(ChatError), Chat(endpoint) as chat:
            chat.check()
    assert caught.value.kind == "unreachable"
    assert rows.outcomes() == [("unreachable", 0.0)] * 2


def test_retry_after_pauses_all_workers_of_a_chat(server: Misbehaving) -> None:
    endpoint = server.endpoint("rate-limited-briefly-once", max_concurrency=4)
    with Chat(endpoint) as chat:
        first = threading.Thread(target=chat.complete, args=(MESSAGES, SAMPLING))
        first.start()
        while not chat._pause._until:
            first.join(0.005)
        others = [threading.Thread(target=chat.complete, args=(MESSAGES, SAMPLING)) for _ in range(3)]
        for thread in others:
            thread.start()
        for thread in (first, *others):
            thread.join()
    told, *later = server.seen.times
    assert len(later) == 4
    assert min(later) - told >= 0.99


def test_closing_the_chat_ends_a_wait(server: Misbehaving) -> None:
    chat = Chat(server.endpoint("rate-limited-briefly", max_attempts=10))
    chat._pause.extend(60)
    ended: list[float] = []

    def wait() -> None:
        chat._pause.wait()
        ended.append(time.monotonic())

    thread = threading.Thread(target=wait)
    thread.start()
    chat.close()
    thread.join(10)
    assert ended


def test_retry_after_is_read_as_seconds_milliseconds_or_date() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    assert retry_after_s({"retry-after": "7"}) == 7
    assert retry_after_s({"retry-after": "7", "retry-after-ms": "250"}) == 0.25
    assert 50 < (retry_after_s({"retry-after": soon}) or 0) <= 60
    assert retry_after_s({"retry-after": "soon"}) is None
    assert retry_after_s({}) is None


def test_check_tells_a_server_from_a_wrong_key_and_from_a_website(server: Misbehaving) -> None:
    with Chat(server.endpoint("ok")) as chat:
        chat.check()
    with Chat(server.endpoint("ok", api_key="wrong")) as chat, pytest.raises(ChatError) as caught:
        chat.check()
    assert caught.value.kind == "rejected"


def test_logprobs_are_averaged(server: Misbehaving) -> None:
    with Chat(server.endpoint("logprobs")) as chat:
        assert chat.complete(MESSAGES, SAMPLING, wants_logprobs=True).mean_logprob == pytest.approx(-1.0)


def test_the_environment_adds_no_credentials(server: Misbehaving, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_ADMIN_KEY"):
        monkeypatch.setenv(name, "of-another-account")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    ask(server.endpoint("ok", api_key=None))
    assert "of-another-account" not in str(server.seen.headers)


def test_nothing_is_logged_below_warning(server: Misbehaving, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        ask(server.endpoint("ok"))
    assert not caplog.records


def test_what_counts_as_paid() -> None:
    hosted = Endpoint(name="t", base_url="https://api.example.com/v1", model="m")
    local = hosted.model_copy(update={"base_url": "http://localhost:8000/v1"})
    free = hosted.model_copy(update={"usd_per_million_in": 0.0, "usd_per_million_out": 0.0})
    priced = local.model_copy(update={"usd_per_million_in": 1.0, "usd_per_million_out": 2.0})
    recorded = priced.model_copy(update={"is_recorded": True})
    assert [is_paid(e) for e in (hosted, local, free, priced, recorded)] == [True, False, False, True, False]


def test_a_stream_yields_the_text_then_the_completion(server: Misbehaving) -> None:
    rows = Rows()
    with Chat(server.endpoint("ok")) as chat:
        *parts, completion = chat.stream(MESSAGES, SAMPLING, journal=rows, draft_id="d1")
    assert parts == ["Pour ", "the cream", " in."]
    assert isinstance(completion, Completion)
    assert completion.text == TEXT
    assert completion.usage.completion_tokens == 10
    assert server.seen.bodies[0]["stream_options"] == {"include_usage": True}
    assert rows.outcomes() == [("ok", pytest.approx(COST_USD))]
    assert [event[0] for event in rows.events] == ["begin", "answered", "finish"]


@pytest.mark.parametrize(
    ("model", "kind", "shown"),
    [
        ("broken", "unreachable", 3),
        ("error-event", "server_error", 3),
        ("unfinished", "bad_answer", 3),
        ("cut-off", "cut_off", 3),
        ("html", "bad_answer", 0),
        ("quota", "quota", 0),
    ],
)
def test_a_stream_that_goes_wrong_is_a_typed_failure(server: Misbehaving, model: str, kind: str, shown: int) -> None:
    parts, rows = [], Rows()
    with Chat(server.endpoint(model)) as chat, pytest.raises(ChatError) as caught:
        for part in chat.stream(MESSAGES, SAMPLING, journal=rows):
            parts.append(part)
    assert caught.value.kind == kind
    assert len(parts) == shown
    assert len(server.seen.bodies) == 1
    assert len(rows.outcomes()) == 1
    assert KEY not in str(caught.value)


def test_a_stream_is_opened_again_after_a_passing_failure(server: Misbehaving) -> None:
    with Chat(server.endpoint("rate-limited-once")) as chat:
        *_, completion = chat.stream(MESSAGES, SAMPLING)
    assert isinstance(completion, Completion)


def test_an_abandoned_stream_keeps_its_reservation_open(server: Misbehaving) -> None:
    rows = Rows()
    with Chat(server.endpoint("ok")) as chat:
        stream = chat.stream(MESSAGES, SAMPLING, journal=rows)
        next(stream)
        stream.close()  # type: ignore[attr-defined]
    assert rows.outcomes() == []


def test_the_connection_of_a_thread_ends_with_the_thread(server: Misbehaving) -> None:
    with Chat(server.endpoint("ok")) as chat:
        for _ in range(8):
            thread = threading.Thread(target=chat.complete, args=(MESSAGES, SAMPLING))
            thread.start()
            thread.join()
        gc.collect()
        remote = urlsplit(chat.endpoint.base_url).port
        mine = [c for c in psutil.Process().net_connections("tcp") if c.raddr and c.raddr.port == remote]
        assert len([c for c in mine if c.status == psutil.CONN_ESTABLISHED]) <= 1
