import json
import math
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice

import pytest
from servers import USAGE, Misbehaving, _Handler

from brand_voice.brief_files import Row
from brand_voice.chat import Chat
from brand_voice.errors import ChatError, ServeError
from brand_voice.prompts import student_messages
from brand_voice.records import Answer, Brief, Job, Sampling
from brand_voice.screen.screening import Screener
from brand_voice.store.store import Store
from brand_voice.write import Progress, Student, Takes, is_answered, pin_job, summary, write

ROWS = 40
BLOCKED = "Hurry!!! Cures insomnia, 99% off, 7 left!!!"


class Scripted(_Handler):
    """A student that says what `said` holds for a prompt: each time the next text, the last one for ever.

    A pair is a text and its log-probability, told to who asks for it.
    """

    def copy(self, body) -> None:
        prompt = body["messages"][-1]["content"]
        with self.server.lock:
            texts = self.server.said.get(prompt, ["Pour the cream in."])
            text = texts.pop(0) if len(texts) > 1 else texts[0]
        if text == "<cut off>":
            return self.answer(finish="length")
        if text == "<refused>":
            return self.error(400, "context_length_exceeded")
        if isinstance(text, tuple):
            said, logprob = text
            choice = {"finish_reason": "stop", "message": {"content": said}, "logprobs": None}
            if body.get("logprobs"):
                choice["logprobs"] = {"content": [{"token": "a", "logprob": logprob}]}
            return self.reply(200, {"model": "tiny", "choices": [choice], "usage": USAGE})
        return self.answer(text)


@pytest.fixture
def student_server(tidewater) -> Iterator[Misbehaving]:
    server = Misbehaving()
    server.RequestHandlerClass = Scripted
    server.said = {}
    with server.running():
        yield server


@pytest.fixture
def store(tmp_path) -> Iterator[Store]:
    with Store.open(tmp_path / "brand_voice.db") as opened:
        yield opened


@pytest.fixture(scope="session")
def clean(tidewater) -> list[tuple[Brief, str]]:
    """Briefs with a recorded text that no rule blocks."""
    screener = Screener(tidewater.guide, tidewater.catalogue)
    recorded = {r.brief_id: r.text for r in tidewater.recordings if r.candidate == 0}
    found = ((brief, recorded[brief.id]) for brief in tidewater.briefs if brief.id in recorded)
    return list(islice((pair for pair in found if not screener.screen(pair[1], pair[0]).blocks), ROWS))


@pytest.fixture
def rows(clean, tidewater, student_server) -> list[Row]:
    for brief, text in clean:
        student_server.said[prompt(tidewater, brief)] = [text]
    return [Row(index=index, id=brief.id, brief=brief) for index, (brief, _) in enumerate(clean)]


def prompt(brand, brief: Brief) -> str:
    return student_messages(brand.guide, brief)[-1].content


ONE = Takes()


class Run:
    """A job against the scripted student."""

    def __init__(self, rows, brand, server, store, *, takes=ONE, usd_per_hour=None, **endpoint) -> None:
        self.rows, self.brand, self.server, self.store = rows, brand, server, store
        self.usd_per_hour = usd_per_hour
        self.endpoint = server.endpoint("copy", name="student", max_concurrency=8, **endpoint)
        self.is_alive = lambda: True
        sampling = Sampling()
        self.job: Job = pin_job(rows, brand.guide, model="tiny", adapter="a@1", sampling=sampling, takes=takes)

    def __iter__(self) -> Iterator[Progress]:
        with Chat(self.endpoint) as chat:
            student = Student(chat, self.is_alive, self.usd_per_hour)
            yield from write(self.rows, self.job, self.brand, student=student, store=self.store)

    def end(self) -> Progress:
        return list(self)[-1]

    @property
    def answers(self) -> tuple[Answer, ...]:
        return self.store.answers(self.job.id)

    @property
    def asked(self) -> list[dict]:
        return self.server.seen.bodies


@pytest.fixture
def job(rows, tidewater, student_server, store):
    def make(**options) -> Run:
        return Run(options.pop("rows", rows), tidewater, student_server, store, **options)

    return make


def test_every_row_gets_an_answer_with_its_checks_and_the_bad_ones_their_reason(job, rows, clean):
    rows = [*rows, Row(index=ROWS, id="bad", problem="sku: saw 'X'")]
    run = job(rows=rows)
    last = run.end()
    assert [(a.row, a.id, a.text) for a in run.answers[:-1]] == [(i, b.id, t) for i, (b, t) in enumerate(clean)]
    assert {a.status for a in run.answers[:-1]} == {"ok"}
    assert any(a.findings for a in run.answers)
    first = run.answers[0]
    assert (first.model, first.adapter, first.tokens, first.cost_usd) == ("tiny", "a@1", 10, None)
    assert first.latency_ms > 0
    assert (run.answers[-1].status, run.answers[-1].reason) == ("invalid", "sku: saw 'X'")
    assert last.is_partial and last.answered == last.rows == ROWS + 1
    assert summary(last).startswith(f"write: {ROWS + 1} rows, {ROWS} ok, 1 invalid, ")


def test_a_second_run_asks_for_nothing_and_a_changed_input_is_another_job(job, rows):
    first = job()
    assert not first.end().is_partial
    before = first.answers
    again = job()
    last = again.end()
    assert len(again.asked) == ROWS and again.answers == before
    assert last.reused == last.answered == ROWS and f"{ROWS} rows from an earlier run" in summary(last)
    assert job(rows=rows[1:]).job.id != first.job.id != job(takes=Takes(variants=2)).job.id


def test_where_nothing_is_missing_no_student_is_needed(job, rows, tidewater, store):
    rows = [*rows, Row(index=ROWS, id="bad", problem="sku: saw 'X'")]
    run = job(rows=rows)
    assert not is_answered(rows, run.job, tidewater, store)
    done = run.end()
    assert is_answered(rows, run.job, tidewater, store)
    again = list(write(rows, run.job, tidewater, student=None, store=store))[-1]
    assert (again.answered, again.statuses) == (done.answered, done.statuses)


def test_an_interrupted_run_keeps_what_it_told_and_the_next_completes_it(job, student_server):
    run = job()
    progress = iter(run)
    told = list(islice(progress, 2))[-1]
    progress.close()  # as Ctrl-C does: the generator is left where it is
    assert 0 < told.answered <= len(run.answers) < ROWS
    kept = {a.row: a for a in run.answers}
    student_server.seen.bodies.clear()
    last = job().end()
    assert last.answered == ROWS and last.reused == len(kept)
    assert len(student_server.seen.bodies) == ROWS - len(kept)
    assert all(a == kept.get(a.row, a) for a in run.answers)


def test_a_blocked_text_is_asked_for_once_more(job, clean, tidewater, student_server):
    for number, texts in enumerate([[BLOCKED, clean[0][1]], [BLOCKED], ["<cut off>", clean[2][1]], ["<cut off>"]]):
        student_server.said[prompt(tidewater, clean[number][0])] = texts
    run = job()
    run.end()
    saved, blocked, ended, cut_off = run.answers[:4]
    assert (saved.status, saved.text) == ("ok", clean[0][1])
    assert (blocked.status, blocked.text) == ("blocked", BLOCKED)
    assert blocked.reason and any(f.severity == "block" for f in blocked.findings)
    assert ended.status == "ok"
    assert (cut_off.status, cut_off.text, cut_off.reason) == (
        "failed",
        "",
        "the text did not end within max_new_tokens",
    )
    assert len(run.asked) == ROWS + 4
    assert not any("seed" in body for body in run.asked), "none was pinned; the server draws anew"


def test_best_of_delivers_the_likeliest_text_without_findings(job, tidewater, student_server):
    screener = Screener(tidewater.guide, tidewater.catalogue)
    texts = defaultdict(list)
    for recording in tidewater.recordings:
        texts[recording.brief_id].append(recording.text)
    brief, (one, two) = next(
        (brief, texts[brief.id][:2])
        for brief in tidewater.briefs
        if len(texts[brief.id]) > 1 and not any(screener.screen(t, brief).findings for t in texts[brief.id][:2])
    )
    never = next(b for b in tidewater.briefs if b.id != brief.id)
    student_server.said[prompt(tidewater, brief)] = [(BLOCKED, -0.1), (one, -0.9), (two, -0.5), (BLOCKED, -0.2)]
    student_server.said[prompt(tidewater, never)] = [(BLOCKED, -0.3)]
    rows = [Row(index=index, id=b.id, brief=b) for index, b in enumerate((brief, never))]
    run = job(rows=rows, takes=Takes(best_of=4))
    last = run.end()
    assert [(a.status, a.text) for a in run.answers] == [("ok", two), ("blocked", BLOCKED)]
    assert (len(run.asked), last.asked, last.unblocked) == (8, 8, 2), "what stays blocked is not asked for a fifth time"
    assert "8 texts asked for, 25% without blocking findings" in summary(last)
    assert run.store.job(run.job.id).best_of == 4


def test_a_worse_second_try_does_not_replace_the_first(job, clean, tidewater, student_server):
    student_server.said[prompt(tidewater, clean[0][0])] = [BLOCKED, "<cut off>"]
    run = job()
    run.end()
    assert (run.answers[0].status, run.answers[0].text) == ("blocked", BLOCKED)


def test_failed_rows_are_asked_again_by_the_next_run(job, clean, tidewater, student_server):
    key = prompt(tidewater, clean[5][0])
    student_server.said[key] = ["<refused>"]
    run = job()
    last = run.end()
    assert run.answers[5].status == "failed" and "longer than its context" in run.answers[5].reason
    assert "1 failed (1: the student's server refused" in summary(last)
    student_server.said[key] = [clean[5][1]]
    last = job().end()
    assert run.answers[5].status == "ok" and not last.is_partial and last.failures == {}
    assert len(run.asked) == ROWS + 1


def test_variants_that_are_nearly_the_same_are_left_out(job, clean, rows, tidewater, student_server):
    brief, text = clean[0]
    other = next(t for b, t in clean[1:] if b.channel == brief.channel).replace("  ", " ")
    student_server.said[prompt(tidewater, brief)] = [text, text.replace(".", "!", 0), other]
    run = job(rows=rows[:1], takes=Takes(variants=3))
    last = run.end()
    texts = [a.text for a in run.answers]
    assert len(texts) == 2 and last.dropped == 1 and last.answered == 1
    assert set(texts) == {text, other}
    student_server.seen.bodies.clear()
    assert job(rows=rows[:1], takes=Takes(variants=3)).end().answered == 1
    assert student_server.seen.bodies == []


def test_two_rows_with_the_same_brief_each_get_an_answer(job, clean):
    brief, text = clean[0]
    twins = [Row(index=0, id="a", brief=brief), Row(index=1, id="b", brief=brief.model_copy(update={"id": "b"}))]
    run = job(rows=twins)
    assert run.end().answered == 2
    assert [(a.id, a.text) for a in run.answers] == [("a", text), ("b", text)]


def test_a_dead_server_ends_the_run_with_what_was_answered(job):
    run = job()
    asked = iter(range(10))
    run.is_alive = lambda: next(asked, None) is not None
    with pytest.raises(ServeError) as caught:
        run.end()
    assert "run the same command again" in caught.value.remedy
    assert 0 < len(run.answers) <= 10
    assert not job().end().is_partial


def test_a_server_that_answers_nobody_is_an_error_and_a_tenth_of_bad_rows_is_not(job, rows, student_server, tidewater):
    with pytest.raises(ChatError, match="server_error"):
        run = job(max_attempts=1)
        run.endpoint = run.endpoint.model_copy(update={"model": "server_error"})
        run.end()
    for row in rows[:8]:
        student_server.said[prompt(tidewater, row.brief)] = ["<refused>"]
    last = job().end()
    assert (last.statuses["failed"], last.statuses["ok"]) == (8, ROWS - 8)


def test_the_costs_of_the_answers_add_up_to_the_machines_time(job):
    run = job(usd_per_hour=3_600.0)  # a dollar a second
    last = run.end()
    total = sum(a.cost_usd for a in run.answers)
    assert math.isclose(total, last.cost_usd)
    assert 0 < total < last.seconds + 1e-6


def test_the_real_student_answers_a_real_job(server, adapter, rows, tidewater, store, tmp_path):
    job = pin_job(
        rows, tidewater.guide, model="tiny", adapter=adapter.name, sampling=Sampling(), takes=Takes(variants=2)
    )
    with Chat(server.endpoint(adapter.name)) as chat:
        student = Student(chat, lambda: server.is_alive, 1.0)
        last = list(write(rows, job, tidewater, student=student, store=store))[-1]
    answers = store.answers(job.id)
    assert last.answered == ROWS and {a.row for a in answers} == set(range(ROWS))
    assert all(a.text or a.reason for a in answers)
    assert sum(a.status != "failed" for a in answers) > ROWS
    assert json.loads(answers[0].model_dump_json())["adapter"] == adapter.name
