import json
import multiprocessing
import resource
import sqlite3
import sys
import threading
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path
from typing import get_args

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brand_voice.errors import ConflictError, StoreError
from brand_voice.records import (
    Answer,
    Ballot,
    Brief,
    BriefProduct,
    Draft,
    Finding,
    Job,
    Review,
    Sampling,
    Screening,
    Severity,
    Usage,
    Verdict,
    Vote,
)
from brand_voice.store import database, queue
from brand_voice.store.database import APPLICATION_ID, MIGRATIONS, Database
from brand_voice.store.queue import Narrowed, Other
from brand_voice.store.store import Counts, Store
from brand_voice.store.tables import metadata

SPAWN = multiprocessing.get_context("spawn")
WARNING = Finding(rule="length.max", check="length", severity="warn", message="over by 3", start=0, end=3)


def a_brief(number: int = 0, *, message: str = "Rain is fine", brand: str = "tidewater") -> Brief:
    product = BriefProduct(name="Søvn 400", category="sleeping bag", facts=("860 g",))
    return Brief(id=f"b-{number}", brand=brand, channel="email", locale="en-GB", product=product, key_message=message)


def a_draft(number: int = 0, *, brief: Brief | None = None, **fields: object) -> Draft:
    brief = brief or a_brief()
    given = {"author": "teacher", "model": "m", "text": f"Copy {number} – “dry” 🌧"} | fields
    return Draft(id=f"d-{number}", brand=brief.brand, brief_id=brief.id, brief_hash=brief.hash, **given)


def a_review(draft: Draft, *, revision: int = 1, verdict: Verdict = "approve", reviewer: str = "ann") -> Review:
    text = {"approve": draft.text, "edit": "Edited copy", "reject": None}[verdict]
    reasons = () if verdict == "approve" else ("off_voice",)
    return Review(
        draft_id=draft.id, revision=revision, verdict=verdict, final_text=text, reasons=reasons, reviewer=reviewer
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "workspace" / "brand_voice.db"


@pytest.fixture
def store(path: Path):
    with Store.open(path) as opened:
        opened.save_brand_briefs([a_brief()])
        yield opened


def sql(path: Path, statement: str) -> list[tuple]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return connection.execute(statement).fetchall()


def test_records_come_back_as_they_were_saved(store: Store, path: Path):
    finished = a_draft(1, usage=Usage(prompt_tokens=7, completion_tokens=3), latency_ms=1.5, is_recorded=True)
    failed = a_draft(2, text="", failure="cut_off", author="student", adapter="tidewater@x")
    store.save_drafts([finished, failed])
    screening = Screening(draft_id="d-1", guide_version="g", findings=(WARNING,), checks=("length", "truth"))
    store.save_screening(screening)
    verdicts = [a_review(finished, verdict="reject"), a_review(finished, revision=2, verdict="edit")]
    edited = screening.model_copy(update={"revision": 2, "findings": ()})
    store.add_reviews(verdicts, [edited])
    store.close()
    with Store.open(path) as again:
        assert again.briefs("tidewater") == (a_brief(),) == (again.brief("b-0", "tidewater"),)
        assert again.drafts("tidewater") == (finished,)
        assert again.drafts("tidewater", ok_only=False, author="student", adapter="tidewater@x") == (failed,)
        assert again.draft("d-2") == failed
        assert again.ok_draft_ids("tidewater") == {"d-1"}
        assert again.screenings("tidewater") == {("d-1", 0): screening, ("d-1", 2): edited}
        assert again.reviews("d-1") == tuple(verdicts)
        assert again.current_reviews("tidewater") == {"d-1": verdicts[1]}
        assert (again.brief("b-0", "vela"), again.draft("d-9"), again.screening("d-9")) == (None, None, None)


def test_votes_come_back_with_who_wrote_what(store: Store, path: Path):
    store.save_drafts([a_draft(1), a_draft(2, author="student", adapter="tidewater@x", text="Dry.")])
    vote = Vote(brand="tidewater", left="d-2", right="d-1", choice="left", reason="drier", voter="ann")
    store.add_vote(vote)
    (ballot,) = store.ballots("tidewater")
    told = (len("Dry."), len("Copy 1 – “dry” 🌧"), a_draft(1).brief_hash)
    assert ballot == Ballot(vote, "email", "tidewater@x", "m", *told)
    assert store.ballots("vela") == ()
    with pytest.raises(StoreError, match="does not hold"):
        store.add_vote(vote.model_copy(update={"right": "d-9"}))
    for statement in ("UPDATE votes SET choice = 'tie'", "DELETE FROM votes"):
        with pytest.raises(sqlite3.IntegrityError, match="votes are appended"):
            sql(path, statement)


def test_an_undone_verdict_stays_on_record_and_its_draft_waits_again(store: Store, path: Path):
    draft = a_draft(1)
    store.save_drafts([draft, a_draft(2)])
    undo = Review(draft_id="d-1", revision=2, verdict="undo", reviewer="ann")
    with pytest.raises(sqlite3.IntegrityError, match="no verdict to undo"):
        sql(path, "INSERT INTO reviews VALUES ('d-1', 1, 'undo', NULL, '[]', NULL, 'ann', '2026')")
    store.add_reviews([a_review(draft), undo])
    assert [(item.draft.id, item.revision) for item in store.queue("tidewater")] == [("d-1", 2), ("d-2", 0)]
    assert (store.waits("d-1"), store.approved("tidewater"), store.current_reviews("tidewater")) == (True, (), {})
    assert store.reviewed_ids("tidewater") == {"d-1"}, "recorded verdicts do not come back over a person's"
    assert [review.verdict for review in store.reviews("d-1")] == ["approve", "undo"]
    store.add_review(a_review(draft, revision=3, verdict="reject"))
    assert not store.waits("d-1")
    assert store.counts("tidewater").verdicts == {"approve": 0, "edit": 0, "reject": 1}


def test_a_rewritten_brief_leaves_the_old_drafts_their_brief(store: Store):
    store.save_draft(a_draft())
    rewritten = a_brief(message="Snow is fine")
    store.save_brand_briefs([a_brief(1), rewritten, rewritten])
    assert store.briefs("tidewater") == (a_brief(1), rewritten)
    assert store.queue("tidewater")[0].brief == a_brief()
    store.save_brand_briefs([a_brief()])
    assert store.brief("b-0", "tidewater") == a_brief()


def test_two_contents_under_one_id_in_one_call_are_both_kept_and_the_last_counts(store: Store):
    first, last = a_brief(5, message="one"), a_brief(5, message="two")
    store.save_brand_briefs([first, last])
    store.save_drafts([a_draft(1, brief=first), a_draft(2, brief=last)])
    assert store.brief("b-5", "tidewater") == last
    assert [item.brief for item in store.queue("tidewater")] == [first, last]


def test_a_failed_draft_gives_way_and_a_finished_one_stays(store: Store):
    failed = a_draft(text="", failure="timeout")
    store.save_draft(failed)
    store.save_drafts([failed.model_copy(update={"failure": "empty"}), a_draft(1)])
    assert store.draft("d-0").failure == "empty"
    store.save_draft(a_draft(text="First"))
    store.save_drafts([a_draft(text="Second"), failed])
    assert store.draft("d-0").text == "First"
    assert [item.draft.id for item in store.queue("tidewater")] == ["d-1", "d-0"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE reviews SET verdict = 'reject', final_text = NULL",
        "DELETE FROM reviews",
        "INSERT OR REPLACE INTO reviews SELECT draft_id, 1, 'reject', NULL, '[]', NULL, 'eve', '' FROM reviews",
        "INSERT INTO reviews SELECT draft_id, 3, 'reject', NULL, '[]', NULL, 'eve', '' FROM reviews",
        "UPDATE drafts SET text = 'other'",
        "DELETE FROM drafts",
    ],
)
def test_the_schema_itself_refuses_to_change_verdicts_and_finished_drafts(store: Store, path: Path, statement: str):
    store.save_draft(a_draft())
    store.add_review(a_review(a_draft()))
    with pytest.raises(sqlite3.IntegrityError):
        sql(path, statement)
    assert store.reviews("d-0")[0].verdict == "approve"


def test_second_verdict_is_refused(store: Store):
    store.save_draft(a_draft())
    store.add_review(a_review(a_draft()))
    with pytest.raises(ConflictError, match="approve by ann") as refused:
        store.add_review(a_review(a_draft(), verdict="reject", reviewer="bob"))
    assert "next revision" in refused.value.remedy
    store.add_review(a_review(a_draft(), verdict="reject", reviewer="bob", revision=2))
    assert [review.reviewer for review in store.reviews("d-0")] == ["ann", "bob"]


@pytest.mark.parametrize(
    ("draft", "revision"), [(a_draft(9), 1), (a_draft(1, text="", failure="refused"), 1), (a_draft(0), 2)]
)
def test_a_verdict_on_nothing_or_out_of_turn_is_refused(store: Store, draft: Draft, revision: int):
    store.save_drafts([a_draft(0), a_draft(1, text="", failure="refused")])
    with pytest.raises(StoreError):
        store.add_review(a_review(draft, revision=revision))


def test_of_many_verdicts_one_refused_stores_none(store: Store):
    store.save_drafts([a_draft(1), a_draft(2)])
    store.add_review(a_review(a_draft(2)))
    with pytest.raises(ConflictError):
        store.add_reviews(
            [a_review(a_draft(1), verdict="edit"), a_review(a_draft(2))],
            [Screening(draft_id="d-1", revision=1, guide_version="g")],
        )
    assert store.reviews("d-1") == ()
    assert store.screenings("tidewater") == {}


def judge_all(path: Path, name: str, start: threading.Barrier, results) -> None:
    """In its own process: give every draft a verdict as fast as possible, and say how many were accepted."""
    accepted = []
    with Store.open(path) as store:
        start.wait()
        for draft in store.drafts("tidewater"):
            try:
                store.add_review(a_review(draft, reviewer=name))
            except ConflictError:
                continue
            accepted.append(draft.id)
    results.put((name, accepted))


def test_of_simultaneous_verdicts_of_several_processes_exactly_one_is_stored(store: Store, path: Path):
    store.save_drafts([a_draft(number) for number in range(40)])
    start, results = SPAWN.Barrier(4), SPAWN.Queue()
    names = [f"reviewer-{number}" for number in range(4)]
    processes = [SPAWN.Process(target=judge_all, args=(path, name, start, results)) for name in names]
    for process in processes:
        process.start()
    accepted = dict(results.get(timeout=60) for _ in processes)
    stored = {review.draft_id: review.reviewer for review in store.current_reviews("tidewater").values()}
    assert stored == {draft: name for name, drafts in accepted.items() for draft in drafts}
    assert sum(len(drafts) for drafts in accepted.values()) == 40


def test_threads_share_one_store(store: Store):
    drafts = [a_draft(number) for number in range(60)]
    store.save_drafts(drafts)
    conflicts = []

    def judge(reviewer: str) -> None:
        for draft in drafts:
            try:
                store.add_review(a_review(draft, reviewer=reviewer))
            except ConflictError:
                conflicts.append(draft.id)
            store.queue("tidewater", limit=5)

    threads = [threading.Thread(target=judge, args=(f"t{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(conflicts) == 7 * 60
    assert store.counts("tidewater").verdicts["approve"] == 60


EVENTS = st.lists(
    st.tuples(st.integers(0, 11), st.sampled_from(["teacher", "student"]), st.booleans(), st.booleans()), max_size=40
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=EVENTS, limit=st.integers(1, 5))
def test_pages_of_the_queue_hold_each_waiting_draft_once(tmp_path_factory, events, limit: int):
    waiting: dict[str, str] = {}
    seen: set[str] = set()
    with Store.open(tmp_path_factory.mktemp("queue") / "x.db") as store:
        store.save_brand_briefs([a_brief(), a_brief(brand="vela")])
        store.save_draft(a_draft(99, brief=a_brief(brand="vela")))
        for number, author, is_ok, is_judged in events:
            outcome = {} if is_ok else {"text": "", "failure": "timeout"}
            draft = a_draft(number, author=author, **outcome)
            store.save_draft(draft)
            if is_ok and draft.id not in seen:
                seen.add(draft.id)
                waiting[draft.id] = author
            if is_judged and waiting.pop(draft.id, None):
                store.add_review(a_review(store.draft(draft.id), verdict="reject"))
        for author in (None, "student"):
            narrowed = Narrowed(author=author)
            paged: list[str] = []
            while page := store.queue("tidewater", limit=limit, after=paged[-1] if paged else None, narrowed=narrowed):
                paged += [item.draft.id for item in page]
            assert paged == [draft for draft, by in waiting.items() if author in (None, by)]
            places = [store.place("tidewater", draft, narrowed=narrowed) for draft in paged]
            assert [(p.position, p.total) for p in places] == [(n, len(paged)) for n in range(1, len(paged) + 1)]
            assert [p.previous for p in places] == [None, *paged[:-1]][: len(paged)]
            assert [p.next for p in places] == [*paged[1:], None][: len(paged)]


def test_the_queue_carries_the_last_screening_and_refuses_an_unknown_place(store: Store):
    store.save_draft(a_draft())
    old, new = (Screening(draft_id="d-0", guide_version=guide) for guide in ("old", "new"))
    for screening in (old, new, old.model_copy(update={"findings": (WARNING,)})):
        store.save_screening(screening)
    assert store.queue("tidewater")[0].screening.findings == (WARNING,)
    with pytest.raises(StoreError, match="d-77"):
        store.queue("tidewater", after="d-77")


@pytest.mark.parametrize(
    "narrowed", [Narrowed(), Narrowed(author="student"), Narrowed(channel="sms", author="teacher", worst="warn")]
)
def test_the_queue_is_read_from_its_index_alone(store: Store, narrowed: Narrowed):
    plans: list[str] = []
    from sqlalchemy import event

    def explain(connection, cursor, statement, parameters, context, many) -> None:
        if statement.startswith("SELECT drafts."):
            raw = connection.connection.cursor()
            plans.extend(row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall())

    event.listen(store._database._engine, "before_cursor_execute", explain)
    store.queue("tidewater", narrowed=narrowed)
    assert plans[0].startswith("SEARCH drafts USING INDEX drafts_waiting")
    assert not any("TEMP B-TREE" in step or step.startswith("SCAN") for step in plans)


def test_a_queue_is_narrowed_by_what_a_draft_is_and_says(store: Store):
    other = a_brief(1).model_copy(update={"channel": "sms", "locale": "de-DE"})
    store.save_brand_briefs([other])
    store.save_drafts([a_draft(1), a_draft(2, brief=other, text="100% Wolle_warm"), a_draft(3, author="student")])
    store.save_screenings(
        [
            Screening(draft_id="d-1", guide_version="g", findings=(WARNING,)),
            Screening(draft_id="d-2", guide_version="g"),
            Screening(draft_id="d-2", guide_version="g", revision=1, findings=(WARNING,)),
        ]
    )

    def found(**narrowed: object) -> list[str]:
        return [item.draft.id for item in store.queue("tidewater", narrowed=Narrowed(**narrowed))]

    assert found() == ["d-1", "d-2", "d-3"]
    assert found(channel="sms") == found(locale="de-DE") == found(worst="none") == ["d-2"]
    assert found(worst="warn") == found(check="length") == ["d-1"]
    assert found(author="student") == ["d-3"]
    assert found(text="wolle_") == found(text="100%") == ["d-2"]
    assert found(text="%") == ["d-2"], "no wildcards"
    assert found(skipped=("d-1", "d-3"), text="") == ["d-2"]
    assert found(channel="sms", author="student") == []


def test_of_two_holders_each_is_given_a_draft_of_its_own(store: Store, monkeypatch: pytest.MonkeyPatch):
    store.save_drafts([a_draft(1), a_draft(2), a_draft(3)])

    def given(holder: str, **place: str) -> str | None:
        item = store.claim("tidewater", holder, **place)
        return item.draft.id if item else None

    assert (given("a"), given("b"), given("c"), given("d")) == ("d-1", "d-2", "d-3", None)
    assert (given("a", after="d-1"), given("a", before="d-1")) == (None, None)
    assert store.hold("d-2", "a") is None
    assert store.hold("d-1", "a") is not None, "nothing to give: what it held it keeps"
    store.release("b")
    assert given("a", after="d-1") == "d-2"
    assert given("b") == "d-1"
    monkeypatch.setattr(queue, "LEASE_S", -1)
    assert (given("c", before="d-3"), given("d"), given("e")) == (None, None, None)
    store.release("a")
    assert (given("d"), given("e")) == ("d-2", "d-2"), "a lease that has run out holds nothing"


def test_what_a_text_is_held_against(store: Store):
    mine = a_brief(1, message="another")
    store.save_brand_briefs([mine])
    drafts = [
        a_draft(1, brief=mine),
        a_draft(2),
        a_draft(3),
        a_draft(4, author="student"),
        a_draft(5, text="", failure="empty"),
    ]
    store.save_drafts(drafts)
    store.add_reviews([a_review(drafts[0]), a_review(drafts[1], verdict="edit"), a_review(drafts[2], verdict="reject")])
    assert store.others("d-4") == (
        Other("teacher", "edit", drafts[1].text),
        Other("teacher", "reject", drafts[2].text),
    )
    assert store.approved_texts("tidewater", "email", but=mine.hash) == ("Edited copy",)
    assert store.approved_texts("tidewater", "email", but="") == ("Edited copy", drafts[0].text)
    assert store.approved_texts("tidewater", "sms", but="") == ()


def test_only_current_approvals_and_edits_are_approved(store: Store):
    drafts = [a_draft(number) for number in range(5)]
    store.save_drafts(drafts)
    store.add_reviews(
        [
            a_review(drafts[0]),
            a_review(drafts[1], verdict="edit"),
            a_review(drafts[2], verdict="reject"),
            a_review(drafts[3]),
            a_review(drafts[3], revision=2, verdict="reject"),
        ]
    )
    approved = store.approved("tidewater")
    assert [(a.draft.id, a.review.verdict) for a in approved] == [("d-0", "approve"), ("d-1", "edit")]
    assert {a.brief for a in approved} == {a_brief()}


def test_counts_tell_how_far_a_brand_is(store: Store):
    store.save_brand_briefs([a_brief(message="newer"), a_brief(brand="vela")])
    store.save_drafts([a_draft(1), a_draft(2), a_draft(3, text="", failure="empty")])
    store.save_screenings([Screening(draft_id="d-1", guide_version=g, findings=(WARNING,)) for g in ("g1", "g2")])
    edit = Screening(draft_id="d-1", revision=1, guide_version="g2", findings=(WARNING, WARNING))
    store.add_review(a_review(a_draft(1), verdict="edit"), edit)
    assert store.counts("tidewater") == Counts(
        briefs=1,
        drafts=2,
        failed=1,
        findings={"block": 0, "warn": 1, "suggest": 0},
        verdicts={"approve": 0, "edit": 1, "reject": 0},
        unreviewed=1,
    )
    assert set(store.counts("vela").findings) == set(get_args(Severity))


def test_an_attempt_costs_its_reservation_until_its_cost_is_known(store: Store):
    store.save_brand_briefs([a_brief(brand="vela")])
    store.save_drafts([a_draft(0), a_draft(1, brief=a_brief(brand="vela"))])
    first = store.begin(draft_id="d-0", endpoint="e", reserved_usd=0.5)
    store.answered(first, raw='{"choices": []}')
    store.finish(first, outcome="ok", cost_usd=0.125)
    store.finish(store.begin(draft_id="d-1", endpoint="e", reserved_usd=0.25), outcome="timeout", cost_usd=None)
    store.begin(draft_id="killed before it was stored", endpoint="e", reserved_usd=1)
    assert store.spent_usd() == 1.375
    assert (store.spent_usd("tidewater"), store.spent_usd("vela")) == (1.125, 1.25)
    with pytest.raises(StoreError, match="finished"):
        store.finish(first, outcome="ok", cost_usd=9)


def test_a_job_keeps_what_it_was_started_with_and_its_answers_are_delivered_once(store: Store):
    job = Job(id="j", brand="tidewater", input_hash="h", model="m", adapter=None, sampling=Sampling(), variants=2)
    assert store.start_job(job) == job == store.start_job(job.model_copy(update={"adapter": "newer"}))
    assert (store.job("j"), store.job("k")) == (job, None)
    failed = Answer(job_id="j", row=1, id="r1", status="failed", reason="timeout")
    done = Answer(job_id="j", row=0, variant=1, id="r0", status="ok", text="Dry.", findings=(WARNING,), cost_usd=0.1)
    store.save_answers([failed, done])
    better = failed.model_copy(update={"status": "ok", "text": "Warm.", "reason": None})
    store.save_answers([better, done.model_copy(update={"text": "Another"})])
    assert store.answers("j") == (done, better)
    with pytest.raises(StoreError, match="refers to"):
        store.save_answers([failed.model_copy(update={"job_id": "unknown"})])


def test_what_refers_to_nothing_is_refused_with_a_remedy(store: Store):
    with pytest.raises(StoreError) as refused:
        store.save_draft(a_draft(brief=a_brief(7)))
    assert "brief before its drafts" in refused.value.remedy
    with pytest.raises(StoreError):
        store.save_screening(Screening(draft_id="d-7", guide_version="g"))


def open_each(folder: Path, start: threading.Barrier, results) -> None:
    """In its own process: open new files at the very moment others do, each from several threads."""
    problems: list[str] = []

    def open_one(path: Path) -> None:
        try:
            with Store.open(path) as store:
                store.counts("tidewater")
        except Exception as exc:  # noqa: BLE001  reported to the parent, which fails
            problems.append(repr(exc))

    for number in range(15):
        start.wait()
        threads = [threading.Thread(target=open_one, args=(folder / f"{number}.db",)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    results.put(problems)


def test_many_processes_and_threads_may_open_a_new_file_at_once(tmp_path: Path):
    start, results = SPAWN.Barrier(4), SPAWN.Queue()
    processes = [SPAWN.Process(target=open_each, args=(tmp_path, start, results)) for _ in range(4)]
    for process in processes:
        process.start()
    assert [results.get(timeout=120) for _ in processes] == [[], [], [], []]
    assert sql(tmp_path / "0.db", "PRAGMA integrity_check") == [("ok",)]


def write_until_killed(path: Path, told: Connection) -> None:
    """In its own process: store chunk after chunk, and say so once a chunk is committed."""
    with Store.open(path) as store:
        store.save_brand_briefs([a_brief()])
        for chunk in range(len(store.current_reviews("tidewater")) // 200, 10_000):
            drafts = [a_draft(chunk * 200 + number) for number in range(200)]
            store.save_drafts(drafts)
            store.add_reviews([a_review(draft) for draft in drafts])
            told.send(chunk + 1)


def test_a_kill_loses_nothing_committed_and_leaves_nothing_half_written(path: Path):
    for _ in range(3):
        ours, theirs = SPAWN.Pipe()
        writer = SPAWN.Process(target=write_until_killed, args=(path, theirs))
        writer.start()
        committed = [ours.recv() for _ in range(3)]
        writer.kill()
        writer.join()
        while ours.poll():
            committed.append(ours.recv())
        with Store.open(path) as store:
            drafts, verdicts = len(store.drafts("tidewater")), len(store.current_reviews("tidewater"))
        assert (drafts % 200, verdicts % 200) == (0, 0)
        assert drafts >= verdicts >= 200 * committed[-1]
        assert sql(path, "PRAGMA integrity_check") == [("ok",)]


def test_the_migrated_schema_is_the_one_in_tables(store: Store):
    with store._database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_a_database_of_before_undo_keeps_its_verdicts(path: Path):
    path.parent.mkdir()
    with Store(Database(path, database._engine(path))) as old, old._database.write() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(MIGRATIONS))
        command.upgrade(config, "0003")
    draft, waiting = a_draft(1), a_draft(2)
    brief = json.dumps(a_brief().model_dump(mode="json"))
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("INSERT INTO briefs VALUES (1, 'tidewater', 'b-0', ?, 1, ?)", (a_brief().hash, brief))
        for number, each in ((1, draft), (2, waiting)):
            row = (number, each.id, "tidewater", "b-0", a_brief().hash, each.text, each.created_at)
            raw.execute(
                "INSERT INTO drafts (seq, id, brand, brief_id, brief_hash, author, model, candidate, text,"
                " prompt_tokens, completion_tokens, is_recorded, distillation_permitted, created_at)"
                " VALUES (?, ?, ?, ?, ?, 'teacher', 'm', 0, ?, 0, 0, 0, 0, ?)",
                row,
            )
        raw.execute("INSERT INTO reviews VALUES ('d-1', 1, 'approve', ?, '[]', NULL, 'ann', '2026')", (draft.text,))
    with Store.open(path) as store:
        assert [item.draft.id for item in store.queue("tidewater")] == ["d-2"]
        assert store.approved("tidewater")[0].review.reviewer == "ann"
        store.add_review(Review(draft_id="d-1", revision=2, verdict="undo", reviewer="ann"))
        assert [item.draft.id for item in store.queue("tidewater")] == ["d-1", "d-2"]
    for statement in ("UPDATE reviews SET note = 'x'", "DELETE FROM reviews"):
        with pytest.raises(sqlite3.IntegrityError, match="verdicts are appended"):
            sql(path, statement)


def test_a_database_of_before_permits_the_student_s_texts_and_those_of_nobody_else(path: Path):
    path.parent.mkdir()
    with Store(Database(path, database._engine(path))) as old, old._database.write() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(MIGRATIONS))
        command.upgrade(config, "0011")
    authors = ("student", "person", "teacher")
    with Store(Database(path, database._engine(path))) as old:
        old.save_brand_briefs([a_brief()])
        old.save_drafts(a_draft(n).model_copy(update={"author": author}) for n, author in enumerate(authors))
    with Store.open(path) as store:
        permitted = {draft.author: draft.distillation_permitted for draft in store.drafts("tidewater")}
    assert permitted == {"student": True, "person": False, "teacher": False}


def open_and_tell(path: Path, told: Connection) -> None:
    """In its own process: open a database and say what was imported for it."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "alembic"]:
        del sys.modules[name]
    with Store.open(path) as store:
        pragmas = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        with store._database.read() as connection:
            values = [connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() for pragma in pragmas]
    told.send(("alembic" in sys.modules, values))


def test_an_up_to_date_database_opens_durable_and_without_alembic(store: Store, path: Path):
    ours, theirs = SPAWN.Pipe()
    SPAWN.Process(target=open_and_tell, args=(path, theirs)).start()
    assert ours.recv() == (False, ["wal", 2, 1, 60_000])


def not_a_database(path: Path) -> None:
    path.write_text("Dear diary, this is no database. " * 40, encoding="utf-8")


def another_program(path: Path) -> None:
    sql(path, "CREATE TABLE bookmarks (url TEXT)")


def newer_version(path: Path) -> None:
    Store.open(path).close()
    sql(path, "UPDATE alembic_version SET version_num = '9999'")


def damaged(path: Path) -> None:
    Store.open(path).close()
    path.write_bytes(path.read_bytes()[:4096] + b"\xff" * 4096 * 20)


def a_folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (not_a_database, "is not a database"),
        (another_program, "another program"),
        (newer_version, "has schema 9999; this brand_voice knows up to 00"),
        (damaged, "is damaged"),
        (a_folder, "cannot be opened"),
    ],
)
def test_a_file_that_is_not_ours_is_left_as_it_is(path: Path, spoil, message: str):
    path.parent.mkdir()
    spoil(path)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(StoreError, match=message) as refused:
        Store.open(path).counts("tidewater")
    assert refused.value.remedy
    assert str(path) in refused.value.message
    assert before == (path.read_bytes() if path.is_file() else b"")


def test_a_workspace_below_a_file_cannot_be_created(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot create the folder"):
        Store.open(tmp_path / "file" / "brand_voice.db")


def fill_the_disk(path: Path, told: Connection) -> None:
    """In its own process: save drafts until its files may not grow any further."""
    with Store.open(path) as store:
        store.save_brand_briefs([a_brief()])
        store.save_draft(a_draft())
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
        try:
            for chunk in range(1, 100):
                store.save_drafts([a_draft(chunk * 100 + number, text="long " * 200) for number in range(100)])
        except StoreError as exc:
            told.send((exc.message, exc.remedy, len(store.drafts("tidewater"))))


def test_a_full_disk_is_reported_and_what_was_saved_is_safe(path: Path):
    ours, theirs = SPAWN.Pipe()
    process = SPAWN.Process(target=fill_the_disk, args=(path, theirs))
    process.start()
    message, remedy, saved = ours.recv()
    process.join()
    assert "disk" in message
    assert "run it again" in remedy
    with Store.open(path) as store:
        assert len(store.drafts("tidewater")) == saved
        assert saved % 100 == 1
        store.save_drafts([a_draft(number) for number in range(100, 200)])


def test_the_file_carries_the_programs_mark_and_the_newest_version(store: Store, path: Path):
    newest = max(file.name[:4] for file in (MIGRATIONS / "versions").glob("0*.py"))
    assert sql(path, "PRAGMA application_id") == [(APPLICATION_ID,)]
    assert sql(path, "SELECT version_num FROM alembic_version") == [(newest,)]
