"""An evaluation from beginning to end, against a local server: who is asked, what is kept, what the report says."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from servers import KEY, USAGE, Misbehaving, _Handler
from small_brand import keep_briefs
from written_report import a_report

from brand_voice import assess, loop, snapshot
from brand_voice.address import ServerAddress
from brand_voice.artifacts import file_hashes, read_manifest, write_manifest
from brand_voice.assess import Question
from brand_voice.brand import load_brand
from brand_voice.cli.shell import opened
from brand_voice.context import Context
from brand_voice.errors import ArtifactError, ChatError, InputError
from brand_voice.evidence import Report
from brand_voice.golden import load
from brand_voice.prompts import student_prompt_hash
from brand_voice.records import AdapterManifest, Approved, Brief, Draft, Review, SnapshotManifest, now
from brand_voice.registry import reports
from brand_voice.samples import ALONE, Timed
from brand_voice.serve import StudentServer
from brand_voice.settings import Settings
from brand_voice.shipped import shipped
from brand_voice.snapshot import split_of
from brand_voice.store.store import Store

OLD, NEW = "tidewater@2026-11-01-aaaaaaaa", "tidewater@2026-11-02-bbbbbbbb"


class Writers(_Handler):
    """Adapters and a base behind one server: each says what `said` gives for its name and the prompt."""

    def do_POST(self) -> None:  # noqa: N802
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.seen.bodies.append(body)
            number = len(self.server.seen.bodies)
        text = self.server.said(body["model"], body["messages"][-1]["content"], number)
        if text == "<down>":
            return self.error(503, "down")
        choice = {"finish_reason": "length" if text == "<cut off>" else "stop", "message": {"content": text}}
        choice["logprobs"] = {"content": [{"token": "a", "logprob": -0.5}]} if body.get("logprobs") else None
        return self.reply(200, {"model": body["model"], "choices": [choice], "usage": USAGE})


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace of 28 briefs with the teacher's reviewed copy, a snapshot, and two adapters that never trained."""
    place = tmp_path_factory.mktemp("assess")
    (place / "brands").mkdir()
    source = shipped("data") / "brands" / "tidewater"
    folder = place / "brands" / "tidewater"
    folder.mkdir()
    for file in source.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    keep_briefs(folder, slice(28))
    with opened(place, "tidewater", Settings()) as context:
        loop.write_drafts(context, loop.Ask())
        loop.screen_drafts(context)
        loop.apply_recorded_reviews(context)
        frozen = loop.freeze(context).name
    for name in (OLD, NEW):
        adapter_of(place, name, frozen)
    return place


def adapter_of(place: Path, name: str, frozen: str) -> None:
    (place / "adapters" / name).mkdir(parents=True)
    told = dict.fromkeys(("guide_version", "voice_line"), "none") | {"prompt_hash": student_prompt_hash()}
    made = {"student": "base-student", "student_hash": "0123456789abcdef0123", "snapshot": frozen, **told}
    empty: dict[str, object] = {"training": {}, "metrics": {}, "versions": {}, "files": {}}
    manifest = AdapterManifest(name=name, brand="tidewater", created_at=now(), **made, **empty)
    write_manifest(place / "adapters" / name, manifest)


@pytest.fixture
def context(prepared: Path, tmp_path: Path) -> Iterator[Context]:
    """A copy of the prepared workspace."""
    for path in prepared.rglob("*"):
        target = tmp_path / path.relative_to(prepared)
        if path.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    with opened(tmp_path, "tidewater", Settings(machine_usd_per_hour=0.2)) as opened_:
        yield opened_


@pytest.fixture
def writers(context: Context) -> Iterator[Misbehaving]:
    server = Misbehaving()
    server.RequestHandlerClass = Writers
    server.said = lambda model, prompt, number: f"Text {number} of {model} for a quiet morning."
    with server.running():
        yield server


@pytest.fixture
def served(writers: Misbehaving) -> StudentServer:
    url = f"http://127.0.0.1:{writers.server_port}/v1"
    return StudentServer(ServerAddress(pid=os.getpid(), base_url=url, key=KEY, models=(OLD, NEW, "base")))


def asked(server: Misbehaving) -> Counter[str]:
    """How many requests each model got."""
    return Counter(body["model"] for body in server.seen.bodies)


def test_a_second_run_asks_nothing_and_is_the_same_report(context, writers, served) -> None:
    first = assess.assess(context, Question(samples=2), served)
    briefs = first.report.sides[0].briefs
    assert asked(writers) == {NEW: 2 * briefs}, "the newest adapter, and nobody but it"
    again = assess.assess(context, Question(samples=2), served)
    assert asked(writers).total() == 2 * briefs
    assert again.folder == first.folder
    on_disk = Report.model_validate_json((first.folder / "report.json").read_text())
    assert on_disk == first.report
    assert (on_disk.adapter, on_disk.against, on_disk.samples) == (NEW, "teacher", 2)
    candidate, reference, echo = on_disk.sides
    assert (candidate.cost.basis, candidate.latency.basis) == ("measured", "measured")
    assert candidate.texts_per_s > 0
    assert candidate.latency_alone.basis == "measured"
    lines = (context.workspace.samples / f"{NEW}.jsonl").read_text().splitlines()
    timed = [Timed.model_validate_json(line) for line in lines]
    assert sum(each.is_alone for each in timed) == len(timed) // 4 < ALONE
    assert [each.seconds is None for each in timed] == [each.is_alone for each in timed]
    assert (reference.name, reference.cost.basis) == ("the teacher (recorded)", "recorded")
    assert (echo.role, echo.texts) == ("echo", briefs)
    assert on_disk.decision == "not_yet"
    assert len(list(context.workspace.golden.iterdir())) == 1


def test_more_texts_ask_only_for_the_further_ones_and_only_the_first_waits_for_review(context, writers, served) -> None:
    briefs = assess.assess(context, Question(samples=1), served).report.sides[0].briefs
    found = assess.assess(context, Question(samples=3), served)
    assert asked(writers) == {NEW: 3 * briefs}
    drafts = context.store.drafts("tidewater", author="student")
    assert {(draft.candidate, draft.adapter) for draft in drafts} == {(0, NEW)}
    assert len(drafts) == briefs
    assert all(context.store.screening(draft.id) for draft in drafts)
    assert all(t.draft.mean_logprob == -0.5 for t in found.sides[0].texts)
    assert {t.draft.id for t in found.sides[0].texts} >= {draft.id for draft in drafts}


def test_another_adapter_is_asked_the_same_and_the_teacher_stands_beside(context, writers, served) -> None:
    writers.said = lambda model, prompt, number: f"{'Fine' if model == NEW else 'Was 9 euro 99'} text {number}."
    report = assess.assess(context, Question(NEW, against=OLD, samples=1), served).report
    assert asked(writers)[OLD] == asked(writers)[NEW] == report.sides[0].briefs
    assert [(side.role, side.name) for side in report.sides][:2] == [("candidate", NEW), ("reference", OLD)]
    assert [side.role for side in report.sides][2:] == ["teacher", "echo"]
    assert report.difference("truth").reference == 0.0
    assert report.difference("truth").candidate > 0
    with pytest.raises(InputError, match="against itself"):
        assess.assess(context, Question(NEW, against=NEW), served)
    with pytest.raises(ArtifactError, match="no adapter 'gpt'"):
        assess.assess(context, Question(NEW, against="gpt"), served)


def test_the_base_gets_the_student_s_prompt_and_few_shot_approved_pairs_before_it(context, writers, served) -> None:
    assess.assess(context, Question(against="base", samples=1), served)
    bare = [body for body in writers.seen.bodies if body["model"] == "base"]
    assert {len(body["messages"]) for body in bare} == {1}
    assess.assess(context, Question(against="few_shot", samples=1), served)
    shown = [body for body in writers.seen.bodies if body["model"] == "base"][len(bare) :]
    assert {body["messages"][-1]["content"] for body in shown} == {body["messages"][0]["content"] for body in bare}
    assert {len(body["messages"]) for body in shown} <= {1, 3, 5}
    train = snapshot.load(next(context.workspace.snapshots.iterdir()), "train")
    said = {m["content"] for body in shown for m in body["messages"] if m["role"] == "assistant"}
    assert said
    assert said <= {example.text for example in train}
    assert not [d for d in context.store.drafts("tidewater") if d.model == "base"], "nobody's copy, for nobody's review"


def test_a_text_that_was_cut_off_is_a_result_and_a_server_that_was_down_is_none(context, writers, served) -> None:
    writers.said = lambda model, prompt, number: "<cut off>"
    report = assess.assess(context, Question(samples=1), served).report
    briefs = report.sides[0].briefs
    assert report.sides[0].failed == {"cut_off": briefs}
    assert report.decision == "not_yet"
    before = asked(writers).total()
    assess.assess(context, Question(samples=1), served)
    assert asked(writers).total() == before, "who is asked until it succeeds looks better than it is"
    writers.said = lambda model, prompt, number: "<down>"
    with pytest.raises(ChatError):
        assess.assess(context, Question(samples=5), served)
    writers.said = lambda model, prompt, number: f"Text {number}."
    report = assess.assess(context, Question(samples=5), served).report
    assert report.sides[0].failed == {"cut_off": briefs}
    assert report.sides[0].texts == 5 * briefs


def test_a_line_that_a_kill_cut_off_costs_one_text(context, writers, served) -> None:
    assess.assess(context, Question(samples=1), served)
    before = asked(writers).total()
    file = context.workspace.samples / f"{NEW}.jsonl"
    file.write_bytes(file.read_bytes()[:-40])
    for draft in context.store.drafts("tidewater", author="student"):
        assert draft.adapter == NEW  # the store has them all: the torn one is found there
    assess.assess(context, Question(samples=1), served)
    assert asked(writers).total() == before
    base = Question(against="base", samples=1)
    assess.assess(context, base, served)
    file = next(context.workspace.samples.glob("base-*.jsonl"))
    file.write_bytes(file.read_bytes()[:-40])
    asked_so_far = asked(writers).total()
    assess.assess(context, base, served)
    assess.assess(context, base, served)
    assert asked(writers).total() == asked_so_far + 1


def test_the_golden_set_stays_when_briefs_come_and_a_new_one_is_asked_for(context, writers, served) -> None:
    told: list[str] = []
    context = context._replace(notify=told.append)
    first = assess.assess(context, Question(samples=1), served).report
    known = context.store.briefs("tidewater")
    further = (known[0].model_copy(update={"id": f"n{i}", "key_message": f"reason {i}"}) for i in range(12))
    context.store.save_brand_briefs(further)
    second = assess.assess(context, Question(samples=1), served).report
    assert second.golden == first.golden
    assert any("--new-golden" in line and first.golden in line for line in told)
    third = assess.assess(context, Question(samples=1, new_golden=True), served).report
    assert third.golden != first.golden
    assert third.sides[0].briefs > first.sides[0].briefs
    assert assess.assess(context, Question(samples=1), served).report.golden == third.golden


def test_an_adapter_trained_on_a_golden_brief_is_refused_before_anybody_is_asked(context, writers, served) -> None:
    (folder,) = context.workspace.snapshots.iterdir()
    held_out = (folder / "test.jsonl").read_text() + (folder / "unseen_product.jsonl").read_text()
    with (folder / "train.jsonl").open("a") as train:
        train.write(held_out)
    manifest = read_manifest(folder, SnapshotManifest)
    write_manifest(folder, manifest.model_copy(update={"files": file_hashes(folder)}))
    with pytest.raises(ArtifactError, match="was trained on"):
        assess.assess(context, Question(), served)
    assert not asked(writers)


def test_the_voice_judge_learns_from_the_other_brands_where_there_is_enough_of_this_one(
    context, tmp_path, monkeypatch
) -> None:
    (tmp_path / "brands" / "unfinished").mkdir()
    (tmp_path / "brands" / "unfinished" / "brand.yaml").write_text("id: [")
    told: list[str] = []
    assert assess.voice_of(context) is None, "28 briefs are too few"
    whole = context._replace(brand=load_brand("tidewater"), notify=told.append)
    monkeypatch.setattr(assess, "MAX_COPY", 60)
    voice = assess.voice_of(whole)
    assert voice is not None
    assert voice.language == "en"
    assert voice.judge.cross_validated > 0.4, "of three brands"
    assert "unfinished" in told[0]
    assert 0 < voice.judge.recall("tidewater") <= 1
    assert voice.judge.recall("tidewater") != voice.judge.cross_validated


def test_what_a_student_wrote_and_nobody_changed_teaches_the_voice_judge_nothing(context) -> None:
    before = assess._approved_copy(context, context.brand, "en")
    brief = next(b for b in context.brand.briefs if split_of(b, is_unseen=context.brand.is_unseen(b)) == "train")
    whole = context._replace(
        store=Approvals([approved(brief, n, "student" if n % 2 else "teacher") for n in range(90)])
    )
    taught = assess._approved_copy(whole, context.brand, "en")
    assert len(before) < len(taught) == 45
    assert {sample.text for sample in taught} == {f"Text {n}." for n in range(0, 90, 2)}


class Approvals(NamedTuple):
    """What a store says is approved."""

    found: list[Approved]

    def approved(self, brand: str) -> list[Approved]:
        return self.found


def approved(brief: Brief, number: int, author: str) -> Approved:
    told = {"brand": "tidewater", "brief_id": brief.id, "brief_hash": brief.hash, "text": f"Text {number}."}
    draft = Draft(id=f"d-{number}", author=author, model="m", adapter="a" if author == "student" else None, **told)
    review = Review(draft_id=draft.id, revision=1, verdict="approve", final_text=draft.text, reviewer="ann")
    return Approved(draft, brief, review)


def test_a_report_that_comes_again_after_another_one_is_the_newest_again(tmp_path: Path) -> None:
    first, other = (a_report(created_at=f"2026-11-23T0{n}", samples=n) for n in (1, 2))
    save = lambda report: assess.save_report(report, tmp_path)  # noqa: E731
    kept = save(first)
    assert save(first.model_copy(update={"created_at": "2026-11-23T01:30"})) == kept, "the same again is the same"
    save(other)
    again = save(first.model_copy(update={"created_at": "2026-11-23T03"}))
    assert again != kept
    assert reports(tmp_path, "tidewater").filed[-1].folder == again.name


def test_a_stray_draft_of_another_teacher_does_not_replace_the_reference(context, writers, served) -> None:
    golden = [d for d in context.store.drafts("tidewater", author="teacher")]
    manifest = assess.assess(context, Question(samples=1), served).report.golden
    asked_for = {each.brief.hash for each in load(context.workspace.golden / manifest)}
    one = next(draft for draft in golden if draft.brief_hash in asked_for)
    context.store.save_drafts([one.model_copy(update={"id": "stray", "model": "another"})])
    report = assess.assess(context, Question(samples=1), served).report
    assert report.side("reference").name == "the teacher (recorded)"
    assert any("left out: another (1 briefs)" in note for note in report.notes)


def test_without_a_teacher_s_draft_there_is_nothing_to_hold_it_against(context, writers, served, tmp_path) -> None:
    with Store.open(tmp_path / "empty.db") as empty:
        empty.save_brand_briefs(context.brand.briefs)
        with pytest.raises(InputError, match="no draft of a teacher") as refused:
            assess.assess(context._replace(store=empty), Question(samples=1), served)
    assert "brand-voice generate" in refused.value.remedy
