"""generate, against a real server that misbehaves and against the recorded teacher."""

import itertools
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from brand_voice.brand import load_brand
from brand_voice.chat import Chat
from brand_voice.errors import ChatError, CostCapError, InputError, SettingsError
from brand_voice.generate import Request, generate, requests, summary
from brand_voice.prompts import teacher_messages
from brand_voice.recorded import candidates_recorded, recorded_teacher
from brand_voice.records import Brief, BriefProduct, Draft, Message, Sampling
from tests.servers import TEXT, Misbehaving, misbehaving_server

SAMPLING = Sampling(max_new_tokens=50)
COST_USD = (100 * 1.0 + 10 * 10.0) / 1e6


@pytest.fixture
def server() -> Iterator[Misbehaving]:
    with misbehaving_server() as running:
        yield running


def brief(number: int, word: str = "ok") -> Brief:
    product = BriefProduct(name=f"Toba Rain {number}", category="coffee")
    return Brief(id=f"b-{number}", brand="tidewater", channel="sms", locale="en-US", product=product, key_message=word)


def render(brief: Brief) -> tuple[Message, ...]:
    return (Message(role="user", content=f"{brief.product.name}: {brief.key_message}"),)


def asked(briefs: Iterator[Brief] | list[Brief], **changes: object) -> Iterator[Request]:
    options = {"author": "teacher", "model": "m", "sampling": SAMPLING} | changes
    return requests(briefs, render, **options)  # type: ignore[arg-type]


def endless() -> Iterator[Brief]:
    return (brief(number) for number in itertools.count())


class Run:
    """The drafts of a run, and how it ended."""

    def __init__(self, server: Misbehaving, model: str, wanted: Iterator[Request], **options: object) -> None:
        endpoint_options = {"max_concurrency": 4} | options.pop("endpoint", {})  # type: ignore[call-overload]
        self.drafts: list[Draft] = []
        self.error: Exception | None = None
        with Chat(server.endpoint(model, **endpoint_options)) as chat:
            try:
                self.drafts.extend(generate(wanted, chat, SAMPLING, **options))  # type: ignore[arg-type]
            except (ChatError, CostCapError, InputError, SettingsError) as error:
                self.error = error

    @property
    def failures(self) -> Counter[str | None]:
        return Counter(draft.failure for draft in self.drafts)


def test_a_draft_says_whose_it_is_and_what_it_cost(server: Misbehaving) -> None:
    one = brief(1)
    endpoint = {"distillation_permitted": True}
    (draft,) = Run(server, "ok", asked([one]), adapter="tidewater@1", endpoint=endpoint).drafts
    assert (draft.text, draft.brief_id, draft.brief_hash, draft.brand) == (TEXT, "b-1", one.hash, "tidewater")
    assert (draft.author, draft.model, draft.adapter, draft.candidate) == ("teacher", "ok", "tidewater@1", 0)
    assert draft.cost_usd == pytest.approx(COST_USD)
    assert draft.latency_ms and draft.is_ok and draft.distillation_permitted and not draft.is_recorded


def test_a_failed_item_is_a_draft_and_the_run_goes_on(server: Misbehaving) -> None:
    briefs = [brief(n, "fail" if n % 10 == 0 else "ok") for n in range(20)]
    run = Run(server, "odd-briefs-fail", asked(briefs))
    assert run.error is None
    assert run.failures == {None: 18, "cut_off": 2}
    failed = next(draft for draft in run.drafts if draft.failure)
    assert failed.cost_usd == pytest.approx(COST_USD)
    assert failed.text == ""


def test_a_run_of_which_more_than_a_tenth_fails_is_an_error_at_its_end(server: Misbehaving) -> None:
    briefs = [brief(n, "fail" if n < 3 else "ok") for n in range(20)]
    run = Run(server, "odd-briefs-fail", asked(briefs))
    assert len(run.drafts) == 20
    assert isinstance(run.error, ChatError)
    assert "3 of 20 drafts failed, 3 with cut_off" in str(run.error)
    assert "max_new_tokens" in run.error.remedy
    assert Run(server, "odd-briefs-fail", asked(briefs[:19])).error is None


def test_a_run_in_which_nothing_succeeds_stops_early(server: Misbehaving) -> None:
    run = Run(server, "unauthorised", asked(endless()))
    assert isinstance(run.error, ChatError)
    assert run.error.kind == "rejected"
    assert 20 <= len(server.seen.bodies) == len(run.drafts) < 40


def test_an_empty_account_stops_the_run(server: Misbehaving) -> None:
    run = Run(server, "quota", asked(endless()))
    assert isinstance(run.error, ChatError)
    assert run.error.kind == "quota"
    assert 1 <= run.failures["quota"] == len(run.drafts) == len(server.seen.bodies) <= 8


def test_the_cost_cap_is_used_up_and_never_passed(server: Misbehaving) -> None:
    run = Run(server, "ok", asked(endless()), max_cost_usd=20.9 * COST_USD)
    assert isinstance(run.error, CostCapError)
    assert run.error.exit_code == 4
    assert "--max-cost-usd" in run.error.remedy
    spent = sum(draft.cost_usd or 0 for draft in run.drafts)
    assert len(run.drafts) == len(server.seen.bodies)
    assert 0.8 * 20 * COST_USD < spent < 20.9 * COST_USD


def test_retries_count_against_the_cap(server: Misbehaving) -> None:
    run = Run(server, "gateway-timeout", asked(endless()), max_cost_usd=20 * COST_USD)
    assert isinstance(run.error, CostCapError)
    assert sum(draft.cost_usd or 0 for draft in run.drafts) <= 20 * COST_USD


def test_a_cap_without_a_price_is_refused_before_anything_is_sent(server: Misbehaving) -> None:
    hosted = {"base_url": "https://api.example.com/v1", "usd_per_million_in": None, "usd_per_million_out": None}
    run = Run(server, "ok", asked(endless()), max_cost_usd=1.0, endpoint=hosted)
    assert isinstance(run.error, SettingsError)
    assert "usd_per_million_in" in run.error.remedy


def test_requests_are_pulled_as_they_are_needed_and_a_second_run_adds_the_rest(server: Misbehaving) -> None:
    pulled = Counter[str]()

    def counted(briefs: Iterator[Brief]) -> Iterator[Brief]:
        for one in briefs:
            pulled[one.id] += 1
            yield one

    with Chat(server.endpoint("ok", max_concurrency=4)) as chat:
        run = generate(asked(counted(endless())), chat, SAMPLING)
        first = list(itertools.islice(run, 5))
        run.close()  # type: ignore[attr-defined]
        assert len(pulled) <= 5 + 2 * 4
        done = {draft.id for draft in first}
        missing = (request for request in asked([brief(n) for n in range(12)]) if request.draft_id not in done)
        second = list(generate(missing, chat, SAMPLING))
    assert len(second) == 12 - len(done & {request.draft_id for request in asked([brief(n) for n in range(12)])})
    assert not done & {draft.id for draft in second}


def test_as_many_requests_as_allowed_are_under_way_at_once(server: Misbehaving) -> None:
    arrived = threading.Semaphore(0)
    server.observe = arrived.release
    with Chat(server.endpoint("hang", max_concurrency=3, read_timeout_s=60)) as chat:
        run = generate(asked(endless()), chat, SAMPLING)
        caller = threading.Thread(target=next, args=(run,))
        caller.start()
        for _ in range(3):
            assert arrived.acquire(timeout=10)
        assert len(server.seen.bodies) == 3
        server.release.set()
        caller.join(10)
        run.close()  # type: ignore[attr-defined]


@pytest.mark.timeout(20)
def test_closing_a_run_does_not_wait_for_a_server_that_never_answers(server: Misbehaving) -> None:
    briefs = itertools.chain([brief(0)], (brief(n) for n in itertools.count(1)))
    with Chat(server.endpoint("hang-after-one", max_concurrency=2, read_timeout_s=600)) as chat:
        run = generate(asked(briefs), chat, SAMPLING)
        next(run)
        run.close()  # type: ignore[attr-defined]
    assert not server.release.is_set()


INTERRUPTED = """
import sys
from brand_voice.chat import Chat
from brand_voice.generate import generate
from brand_voice.settings import Endpoint
from tests.test_generate import SAMPLING, asked, endless

endpoint = Endpoint(name="t", base_url=sys.argv[1], model="hang", read_timeout_s=600, max_concurrency=2)
with Chat(endpoint) as chat:
    list(generate(asked(endless()), chat, SAMPLING))
"""


@pytest.mark.timeout(60)
def test_ctrl_c_ends_a_process_whose_requests_hang(server: Misbehaving) -> None:
    arrived = threading.Event()
    server.observe = arrived.set
    url = f"http://127.0.0.1:{server.server_port}/v1"
    command = [sys.executable, "-c", INTERRUPTED, url]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    assert arrived.wait(30)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode != 0
    assert "KeyboardInterrupt" in errors
    assert not server.release.is_set()


def test_a_brief_that_cannot_be_rendered_ends_the_run_after_what_was_under_way(server: Misbehaving) -> None:
    def broken(one: Brief) -> tuple[Message, ...]:
        if one.id == "b-3":
            raise InputError("no such channel", remedy="choose another")
        return render(one)

    wanted = requests(endless(), broken, author="teacher", model="m", sampling=SAMPLING)
    run = Run(server, "ok", wanted)
    assert len(run.drafts) == 3
    assert isinstance(run.error, InputError)


def test_a_bug_in_a_worker_keeps_its_own_exception(server: Misbehaving) -> None:
    class Broken:
        def begin(self, **_: object) -> int:
            raise ZeroDivisionError

    with Chat(server.endpoint("ok")) as chat, pytest.raises(ZeroDivisionError):
        list(generate(asked(endless()), chat, SAMPLING, journal=Broken()))  # type: ignore[arg-type]


def test_a_pinned_seed_is_another_one_for_each_candidate_of_a_student(server: Misbehaving) -> None:
    run = Run(server, "ok", asked([brief(1)], author="student", candidates=3))
    assert len({draft.id for draft in run.drafts}) == 3
    assert not any("seed" in body for body in server.seen.bodies), "none is sent where none was pinned"
    with Chat(server.endpoint("ok")) as chat:
        list(generate(asked([brief(1)], author="student", candidates=3), chat, SAMPLING.model_copy(update={"seed": 7})))
    assert sorted(body["seed"] for body in server.seen.bodies if "seed" in body) == [7, 8, 9]


def test_recorded_drafts_claim_no_speed_and_spend_nothing() -> None:
    folder = load_brand("tidewater")
    counts = candidates_recorded(folder.briefs, folder.recordings)
    with recorded_teacher(folder.guide, folder.briefs, folder.recordings) as endpoint, Chat(endpoint) as chat:
        wanted = requests(
            folder.briefs[:30],
            lambda brief: teacher_messages(folder.guide, brief),
            author="teacher",
            model=endpoint.model,
            sampling=SAMPLING,
            candidates=lambda brief: counts[brief.hash],
        )
        drafts = list(generate(wanted, chat, SAMPLING, max_cost_usd=0.0))
    texts = {(r.brief_id, r.candidate): r.text for r in folder.recordings}
    assert all(draft.text == texts[draft.brief_id, draft.candidate] for draft in drafts)
    assert all(draft.is_recorded and draft.latency_ms is None and draft.cost_usd for draft in drafts)
    assert "nothing spent" in summary(drafts, 1)


def test_the_summary_counts_failures_by_kind() -> None:
    def draft(number: int, failure: str | None, cost_usd: float | None) -> Draft:
        fields = {"id": f"d{number}", "brand": "tidewater", "brief_id": "b", "brief_hash": "h", "author": "teacher"}
        return Draft.model_validate(fields | {"model": "m", "failure": failure, "cost_usd": cost_usd})

    drafts = [draft(n, None, 0.01) for n in range(468)]
    drafts += [draft(n, "timeout", None) for n in range(7)] + [draft(n, "cut_off", None) for n in range(5)]
    assert summary(drafts, 192) == "generate: 480 drafts, 12 failed (7 timeout, 5 cut_off), 3m12s, $4.68"
    assert summary([draft(1, None, None)], 5) == "generate: 1 draft, 5s"
