"""`write --cascade` and `calibrate`: files in, files out, against a server whose student blocks every other prompt."""

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest
from paper_adapter import serve_on_paper
from servers import BLOCKED, TEXT, Misbehaving, misbehaving_server
from typer.testing import CliRunner, Result

from brand_voice import cascade
from brand_voice.brand import BrandFolder
from brand_voice.brief_files import Row
from brand_voice.cascade_batch import answered, pin_job, side_by_side
from brand_voice.chat import Chat
from brand_voice.cli.main import app
from brand_voice.context import Context
from brand_voice.errors import ServeError
from brand_voice.prompts import student_messages
from brand_voice.records import Brief
from brand_voice.screen.screening import Screener
from brand_voice.settings import Settings
from brand_voice.snapshot import split_of
from brand_voice.store.store import Store
from brand_voice.workspace import Workspace
from brand_voice.write import Student

ROWS = 40
Call = Callable[..., Result]


@pytest.fixture
def server() -> Iterator[Misbehaving]:
    with misbehaving_server() as running:
        yield running


@pytest.fixture(scope="module")
def briefs(tidewater: BrandFolder) -> list[Brief]:
    """Briefs for which the servers' usual text passes the rules."""
    screener = Screener(tidewater.guide, tidewater.catalogue)
    return [brief for brief in tidewater.briefs if not screener.screen(TEXT, brief).blocks][:ROWS]


@pytest.fixture
def file(briefs: list[Brief], tmp_path: Path) -> Path:
    path = tmp_path / "briefs.csv"
    with path.open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow("id channel locale product_name category facts key_message offer".split())
        for b in briefs:
            product = (b.product.name, b.product.category, "|".join(b.product.facts))
            table.writerow((b.id, b.channel, b.locale, *product, b.key_message, b.offer))
    return path


@pytest.fixture
def call(tmp_path: Path, server: Misbehaving) -> Call:
    """The command line on a workspace whose student is `some-blocked` and whose teacher is `ok`."""
    made = serve_on_paper(tmp_path / "ws", server, "some-blocked")
    teacher = f"base_url = '{server.endpoint('ok').base_url}'\nmodel = 'ok'\n"
    prices = "usd_per_million_in = 0\nusd_per_million_out = 10\nmax_concurrency = 2\n"
    (tmp_path / "ws" / "brand_voice.toml").write_text(
        f"machine_usd_per_hour = 3.6\n[cascade]\nteacher = 'paid'\nbest_of = 2\n[teachers.paid]\n{teacher}{prices}"
    )

    def run(*arguments: str) -> Result:
        options = ["--brand", "tidewater", "--workspace", str(tmp_path / "ws")]
        return CliRunner().invoke(app, [*arguments, *options])

    assert made.name == "tidewater@some-blocked"
    return run


def asked(server: Misbehaving) -> Counter[str]:
    return Counter(body["model"] for body in server.seen.bodies)


def test_a_file_is_answered_by_whoever_can_and_says_by_whom_and_why(call: Call, file: Path, server, tmp_path: Path):
    out = tmp_path / "copy.csv"
    done = call("write", str(file), "--cascade", "--out", str(out))
    rows = list(csv.DictReader(out.open(encoding="utf-8-sig")))
    by = Counter(row["by"] for row in rows)
    assert by["student"] > 0 < by["teacher"]
    assert by["student"] + by["teacher"] == len(rows) == ROWS
    assert {row["status"] for row in rows} == {"ok"}
    assert done.exit_code == 0, done.output
    for row in rows:
        is_taught = row["by"] == "teacher"
        assert (row["model"], row["adapter"]) == (("ok", "") if is_taught else ("tidewater@some-blocked",) * 2)
        assert ("the best of 2 was blocked" in row["why"]) == is_taught
    assert f"{by['student']} by the student, {by['teacher']} by the teacher" in done.output
    assert "Only the rules decide: tidewater@some-blocked is not calibrated." in done.output
    assert asked(server) == {"tidewater@some-blocked": ROWS + by["teacher"], "ok": by["teacher"]}
    cost = sum(float(row["cost_usd"]) for row in rows)
    assert cost > by["teacher"] * 0.0001, "the machine's time comes on top of the teacher's price"
    before = out.read_bytes()
    again = call("write", str(file), "--cascade", "--out", str(out))
    assert out.read_bytes() == before
    assert f"{ROWS} rows from an earlier run" in again.output
    assert sum(asked(server).values()) == ROWS + 2 * by["teacher"]


def test_a_used_up_budget_leaves_the_students_text_and_a_higher_one_pays_no_text_twice(
    call: Call, file: Path, server, tmp_path: Path
):
    out = tmp_path / "copy.jsonl"
    done = call("write", str(file), "--cascade", "--out", str(out), "--max-cost-usd", "0.0042")
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    short = [row for row in rows if "the teacher's budget is used up" in row["why"]]
    assert done.exit_code == 3, "some rows are without a publishable text"
    assert short
    assert {(row["status"], row["by"], row["text"]) for row in short} == {("blocked", "best_of", BLOCKED)}
    paid = asked(server)["ok"]
    assert paid <= 3
    done = call("write", str(file), "--cascade", "--out", str(out), "--max-cost-usd", "1")
    assert done.exit_code == 0
    assert asked(server)["ok"] == len({row["id"] for row in short}) + paid
    with Store.open(tmp_path / "ws" / "brand_voice.db") as store:
        assert store.spent_usd("tidewater") == pytest.approx(0.0001 * asked(server)["ok"])
        assert {d.text for d in store.drafts("tidewater", author="teacher")} == {TEXT}


def test_without_the_cascade_its_options_are_refused_and_with_it_variants_are(call: Call, file: Path, tmp_path: Path):
    out = str(tmp_path / "copy.csv")
    assert call("write", str(file), "--out", out, "--max-cost-usd", "1").exit_code == 2
    done = call("write", str(file), "--cascade", "--out", out, "--variants", "2")
    assert done.exit_code == 1
    assert "leave --variants out" in done.output


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "own.db") as opened:
        yield opened


@pytest.fixture
def context(tidewater: BrandFolder, store: Store, tmp_path: Path) -> Context:
    return Context(Workspace(tmp_path), Settings(), tidewater, store, lambda items, *_: items, print)


def rows_of(briefs: list[Brief]) -> list[Row]:
    return [Row(index=index, id=brief.id, brief=brief) for index, brief in enumerate(briefs)]


def test_an_interrupted_run_keeps_what_it_told_and_the_next_asks_for_the_rest(context, briefs, server):
    rows = [*rows_of(briefs), Row(index=ROWS, id="bad", problem="sku: saw 'X'")]
    with Chat(server.endpoint("certain")) as chat, cascade.opened(context, chat) as asks:
        job, student = pin_job(context, rows, asks), Student(chat, lambda: True, None)
        progress = answered(context, rows, job, asks, student=student)
        told = list(islice(progress, 2))[-1]
        progress.close()  # as Ctrl-C does
        kept = {a.row: a for a in context.store.answers(job.id)}
        assert 1 < told.answered <= len(kept)
        *_, last = answered(context, rows, job, asks, student=student)
    answers = context.store.answers(job.id)
    assert (last.answered, last.reused) == (ROWS + 1, len(kept))
    assert all(a == kept.get(a.row, a) for a in answers)
    assert (answers[-1].status, answers[-1].by) == ("invalid", None)
    drafts = {d.text for d in context.store.drafts("tidewater", author="student")}
    assert drafts == {TEXT}
    assert len(context.store.drafts("tidewater")) >= ROWS


def test_a_student_that_ended_costs_no_teachers_texts(context, briefs, server):
    rows, alive = rows_of(briefs), iter([True] * 10)
    with Chat(server.endpoint("some_blocked")) as chat, cascade.opened(context, chat) as asks:
        student = Student(chat, lambda: next(alive, False), None)
        job = pin_job(context, rows, asks)
        with pytest.raises(ServeError, match="ended while it was writing"):
            list(answered(context, rows, job, asks, student=student))
    assert len(context.store.answers(job.id)) <= 10


def test_results_come_as_they_are_ready_and_what_one_raised_is_raised() -> None:
    assert sorted(side_by_side(lambda n: n * n, range(5), 3)) == [(n, n * n) for n in range(5)]
    assert list(side_by_side(str, [], 3)) == []
    with pytest.raises(ZeroDivisionError):
        list(side_by_side(lambda n: 1 // n, [1, 0, 1], 1))


def test_calibrate_measures_on_validation_briefs_alone_and_the_next_write_heeds_it(
    call: Call, server, tidewater: BrandFolder, tmp_path: Path
):
    done = call("calibrate")
    assert done.exit_code == 0, done.output
    wanted = [b for b in tidewater.briefs if split_of(b, is_unseen=tidewater.is_unseen(b)) == "validation"]
    prompts = Counter(body["messages"][-1]["content"] for body in server.seen.bodies)
    assert prompts == Counter(student_messages(tidewater.guide, b)[-1].content for b in wanted for _ in range(2))
    saved = json.loads((tmp_path / "ws" / "calibrations" / "tidewater@some-blocked.json").read_text())
    assert (saved["briefs"], saved["texts"], saved["failed"]) == (len(wanted), 2 * len(wanted), 0)
    assert saved["auc"] > 0.5
    assert saved["sentence"] in done.output
    before = len(server.seen.bodies)
    assert call("calibrate").exit_code == 0
    assert len(server.seen.bodies) == before, "what is in the store is not asked for again"
