"""Student, best of several, teacher: what is asked, what is delivered and why, and what stays in the store."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from paper_adapter import calibrate_on_paper
from servers import BLOCKED, TEXT, USAGE, Misbehaving, misbehaving_server

from brand_voice.brand import BrandFolder
from brand_voice.cascade import Cascade, opened
from brand_voice.chat import Chat
from brand_voice.context import Context
from brand_voice.errors import ChatError, SettingsError
from brand_voice.records import Brief, Review, Sampling
from brand_voice.screen.screening import Screener
from brand_voice.settings import CascadeSettings, Settings, TeacherSettings
from brand_voice.store.store import Store
from brand_voice.teacher import Patience
from brand_voice.workspace import Workspace

PRICES = {"usd_per_million_in": 0.0, "usd_per_million_out": 10.0}
ONE = 0.0001
"""Dollars for a text, as the server counts tokens; a request reserves 0.004."""
Made = Callable[..., Cascade]


@pytest.fixture(scope="module")
def briefs(tidewater: BrandFolder) -> list[Brief]:
    """Briefs for which the servers' usual text passes the rules."""
    screener = Screener(tidewater.guide, tidewater.catalogue)
    return [brief for brief in tidewater.briefs if not screener.screen(TEXT, brief).blocks][:12]


@pytest.fixture
def brief(briefs: list[Brief]) -> Brief:
    return briefs[0]


@pytest.fixture
def server() -> Iterator[Misbehaving]:
    with misbehaving_server() as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "brand_voice.db") as opened_store:
        yield opened_store


@pytest.fixture
def made(server: Misbehaving, store: Store, tidewater: BrandFolder, tmp_path: Path) -> Iterator[Made]:
    """Cascades of a student and a teacher that behave as their names say."""
    with ExitStack() as stack:

        def make(student: str, teacher: str = "none", *, url: str = "", **changes: object) -> Cascade:
            base_url = url or server.endpoint("ok").base_url
            endpoint = TeacherSettings(base_url=base_url, model=teacher, max_attempts=1, **PRICES)
            known = {} if teacher in {"none", "recorded"} else {"paid": endpoint}
            name = "paid" if known else teacher
            cascade = CascadeSettings.model_validate({"teacher": name} | changes)
            settings = Settings(teachers=known, cascade=cascade)
            context = Context(Workspace(tmp_path), settings, tidewater, store, lambda items, *_: items, print)
            chat = stack.enter_context(Chat(server.endpoint(student, name="student", max_attempts=1)))
            return stack.enter_context(opened(context, chat))

        yield make


def asked(server: Misbehaving) -> Counter[str]:
    return Counter(body["model"] for body in server.seen.bodies)


def test_a_text_that_passes_is_delivered_at_once_and_stored(made: Made, server: Misbehaving, brief: Brief, store):
    answered = made("certain", "ok").answer(brief)
    assert (answered.by, answered.takes, answered.draft.text, answered.cost_usd) == ("student", 1, TEXT, None)
    assert answered.why == "The student's first text has no blocking finding; only the rules decided."
    assert asked(server) == {"certain": 1}
    stored = store.draft(answered.draft.id)
    assert (stored.adapter, stored.mean_logprob, stored.brief_id) == ("certain", -0.25, brief.id)
    assert store.screening(stored.id) == answered.screening
    assert store.escalations("tidewater") == ()


def test_a_blocked_text_makes_it_the_best_of_four(made: Made, server: Misbehaving, brief: Brief, store):
    answered = made("blocked-once", "ok").answer(brief)
    assert (answered.by, answered.takes, answered.draft.text) == ("best_of", 4, TEXT)
    assert answered.why.startswith("The student's first text was blocked (")
    assert "of its 4 texts this one is the best" in answered.why
    assert BLOCKED not in answered.why
    assert asked(server) == {"blocked-once": 4}
    assert Counter(d.text for d in store.drafts("tidewater")) == {TEXT: 3, BLOCKED: 1}
    assert store.escalations("tidewater") == ()


def test_what_stays_blocked_goes_to_the_teacher_is_paid_and_remembered_and_never_paid_twice(
    made: Made, server: Misbehaving, brief: Brief, store
):
    cascade = made("blocked", "ok")
    answered = cascade.answer(brief)
    assert (answered.by, answered.draft.author, answered.takes) == ("teacher", "teacher", 5)
    assert "the best of 4 was blocked" in answered.why
    assert answered.cost_usd == pytest.approx(store.spent_usd("tidewater")) == pytest.approx(ONE)
    (escalation,) = store.escalations("tidewater")
    assert (escalation.why, escalation.brief_hash) == ("blocked", brief.hash)
    assert store.draft(escalation.draft_id).text == BLOCKED
    assert answered.usage.completion_tokens == 5 * USAGE["completion_tokens"], "of all texts, not the delivered one's"
    again = cascade.answer(brief)
    assert len(store.escalations("tidewater")) == 1, "the teacher was not asked again"
    assert again.usage.completion_tokens == 4 * USAGE["completion_tokens"], "a text of before counts no tokens again"
    assert (again.draft.id, again.takes, again.cost_usd) == (answered.draft.id, 4, None)
    assert "before" in again.why
    assert asked(server) == {"blocked": 8, "ok": 1}
    store.add_review(Review(draft_id=again.draft.id, revision=1, verdict="reject", reasons=("other",), reviewer="ann"))
    third = cascade.answer(brief)
    assert third.by == "teacher"
    assert third.draft.id != again.draft.id, "a text that a reviewer rejected is not delivered again"


@pytest.mark.parametrize(
    ("teacher", "told"),
    [
        ("server-error", "the teacher failed"),
        ("quota", "is out of credit"),
        ("hang", "did not answer in time"),
        ("hang-up", "could not be reached"),
        ("cut-off", "did not end its text"),
    ],
)
def test_a_teacher_that_fails_costs_nobody_the_students_text(made: Made, brief: Brief, store, teacher: str, told: str):
    answered = made("blocked", teacher, teacher_timeout_s=0.3).answer(brief)
    assert (answered.by, answered.draft.author, answered.takes) == ("best_of", "student", 5)
    assert told in answered.why
    assert answered.why.endswith("this is the student's best.")
    assert len(store.escalations("tidewater")) == 1


def test_a_blocked_text_of_the_teacher_does_not_displace_one_that_passes(made: Made, brief: Brief):
    calibrate(made("uncertain"))
    answered = made("uncertain", "blocked").answer(brief)
    assert (answered.by, answered.draft.text) == ("best_of", TEXT)
    assert "the teacher's was blocked (" in answered.why


def test_who_asks_for_the_same_brief_at_the_same_time_pays_once(made: Made, server: Misbehaving, brief: Brief, store):
    cascade = made("blocked", "ok", best_of=1)
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda _: cascade.answer(brief), range(8)))
    assert {answered.by for answered in done} == {"teacher"}
    assert asked(server) == {"blocked": 8, "ok": 1}
    assert store.spent_usd("tidewater") == pytest.approx(ONE)


def test_a_teacher_that_counts_no_tokens_costs_what_was_reserved(made: Made, brief: Brief, store):
    answered = made("blocked", "uncounted", best_of=1).answer(brief)
    assert answered.cost_usd == store.spent_usd("tidewater") > ONE


def test_a_busy_teacher_costs_nobody_who_waits_the_students_text(made: Made, server: Misbehaving, briefs, store):
    cascade = made("blocked", "hang", best_of=1)
    slots = cascade._teacher._slots
    while slots.acquire(blocking=False):
        pass
    answered = cascade.answer(briefs[0], Patience(time.monotonic() + 0.5))
    assert answered.draft.text == BLOCKED
    assert asked(server) == {"blocked": 1}, "the teacher had no time and was not paid"
    assert store.escalations("tidewater") == ()
    slots.release()
    answered = cascade.answer(briefs[1], Patience(time.monotonic() + 0.5))
    assert "the teacher did not answer in time: this is the student's best" in answered.why


def test_a_paid_answer_that_comes_too_late_is_stored(made: Made, server: Misbehaving, brief: Brief, store):
    cascade = made("blocked", "late", best_of=1)
    answered = cascade.answer(brief, Patience(time.monotonic() + 0.5))
    assert answered.draft.author == "student"
    server.release.set()
    again = cascade.answer(brief)
    assert (again.by, again.draft.text, asked(server)["late"]) == ("teacher", TEXT, 1)


def test_for_somebody_who_has_gone_nobody_else_is_asked(made: Made, server: Misbehaving, brief: Brief):
    answered = made("blocked", "ok").answer(brief, Patience(has_gone=lambda: True))
    assert (answered.takes, asked(server)) == (1, {"blocked": 1})
    assert answered.why.endswith("there was no time left for the teacher: this is the student's best.")


def calibrate(cascade: Cascade, sampling: Sampling | None = None, threshold: float = -1.0) -> None:
    """Leave a calibration of the cascade's adapter where it will look for one."""
    calibrate_on_paper(cascade._context.workspace, cascade.adapter, sampling, threshold)


def test_an_uncertain_text_is_handed_over_only_under_a_calibration_of_this_sampling(made: Made, brief: Brief, store):
    cascade = made("uncertain", "ok")
    assert cascade.answer(brief).by == "student"
    assert cascade.decides == "Only the rules decide: uncertain is not calibrated."
    calibrate(cascade, sampling=Sampling(temperature=1.5))
    assert made("uncertain", "ok").answer(brief).by == "student"
    calibrate(cascade)
    answered = made("uncertain", "ok").answer(brief)
    assert answered.by == "teacher"
    assert "too uncertain (-2.50, wanted -1.00)" in answered.why
    assert [e.why for e in store.escalations("tidewater")] == ["uncertain"]


def test_the_days_budget_holds_for_all_together_and_every_brief_is_answered(
    made: Made, server: Misbehaving, briefs: list[Brief], store
):
    both = [made("blocked", "ok", best_of=1, max_usd=0.00425) for _ in range(2)]
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda n: both[n % 2].answer(briefs[n]), range(12)))
    assert 1 <= asked(server)["ok"] <= 3, "two spent leave room for the third's reservation"
    assert store.spent_usd("tidewater") == pytest.approx(ONE * asked(server)["ok"])
    assert Counter(answered.by for answered in done)["teacher"] == asked(server)["ok"]
    refused = [answered for answered in done if answered.by == "student"]
    assert all("the teacher's budget is used up" in answered.why for answered in refused)
    assert len(store.escalations("tidewater")) == asked(server)["ok"], "only what went to the teacher"


def test_a_dead_student_goes_to_the_teacher_and_without_one_is_an_error(made: Made, brief: Brief, server: Misbehaving):
    answered = made("hang-up", "ok").answer(brief)
    assert answered.by == "teacher"
    assert "did not come (the student's server could not be reached)" in answered.why
    assert asked(server) == {"hang-up": 1, "ok": 1}, "a dead server is not asked four times"
    with pytest.raises(ChatError, match="there is no teacher to ask") as caught:
        made("hang-up").answer(brief)
    assert caught.value.kind == "unreachable"


def test_the_recorded_teacher_counts_in_the_demo_and_says_when_it_has_no_recording(
    made: Made, tidewater: BrandFolder, store
):
    recorded = {r.brief_id for r in tidewater.recordings}
    known = next(b for b in tidewater.briefs if b.id in recorded)
    cascade = made("blocked", "recorded", best_of=1)
    answered = cascade.answer(known)
    assert (answered.by, answered.draft.is_recorded, answered.cost_usd) == ("teacher", True, None)
    other = known.model_copy(update={"key_message": "keeps a secret nobody recorded", "id": known.id})
    answered = cascade.answer(other)
    assert (answered.by, answered.draft.text) == ("student", BLOCKED)
    assert "has no recording for this brief" in answered.why
    assert store.brief(known.id, "tidewater").hash == known.hash, "the brand's brief of that id is left alone"
    assert answered.draft.brief_id == f"write-{other.hash}"


def test_a_metered_teacher_without_a_price_is_refused_at_once(store, tidewater: BrandFolder, tmp_path: Path, server):
    teacher = TeacherSettings(base_url="https://models.example/v1", model="m")
    settings = Settings(teachers={"x": teacher}, cascade=CascadeSettings(teacher="x"))
    context = Context(Workspace(tmp_path), settings, tidewater, store, lambda items, *_: items, print)
    with (
        Chat(server.endpoint("ok")) as chat,
        pytest.raises(SettingsError, match="a cost cap needs a price"),
        opened(context, chat),
    ):
        pass
