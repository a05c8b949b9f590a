"""Promotion, rollback and canary on a real store: what is live, in which order, and who may change it."""

import itertools
import json
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import pytest
from reports import BETTER, NO_WORSE, a_report, an_adapter, file_report
from servers import KEY
from typer.testing import CliRunner

from brand_voice import golden, promotion
from brand_voice.address import ServerAddress
from brand_voice.artifacts import write_manifest
from brand_voice.brand import BrandFolder, load_brand
from brand_voice.cli.main import app
from brand_voice.context import Context
from brand_voice.errors import ArtifactError, ConflictError, InputError, PromotionError
from brand_voice.golden import GoldenBrief
from brand_voice.live import Escalation, Served, Standing
from brand_voice.loop import state_of
from brand_voice.records import Brief, Draft, Vote
from brand_voice.registry import named
from brand_voice.serve import StudentServer, publish
from brand_voice.settings import ServeSettings, Settings
from brand_voice.snapshot import split_of
from brand_voice.store.store import Store
from brand_voice.ui.student_seat import StudentSeat
from brand_voice.workspace import Workspace

A, B, C = "tidewater@01", "tidewater@02", "tidewater@03"
SPAWN = multiprocessing.get_context("spawn")


class Place(NamedTuple):
    """A workspace with three adapters and a golden set."""

    context: Context
    told: list[str]

    def evaluated(self, adapter: str, against: str, changes=BETTER, **fields: object) -> str:
        """File a report on an adapter, which passes unless it says otherwise; return its folder."""
        workspace = self.context.workspace
        known = {"adapter": adapter, "against": against, "guide_version": self.context.brand.guide.version}
        return file_report(workspace.evaluations, a_report(changes, **known | fields))

    def golden(self, name: str, briefs: Sequence[Brief]) -> None:
        """Freeze a golden set of these briefs under a name."""
        made = golden.freeze("tidewater", [GoldenBrief(brief=each, split="test") for each in briefs], self.parent)
        (self.parent / made.name).rename(self.parent / name)
        write_manifest(self.parent / name, made.model_copy(update={"name": name}))

    @property
    def parent(self) -> Path:
        """Of the golden sets."""
        return self.context.workspace.golden

    def live(self, *adapters: str) -> None:
        """Promote them one after another by force."""
        for each in adapters:
            promotion.promote(self.context, each, by="Ada", force_reason="to begin with")


def opened(root: Path, brand: BrandFolder, told: list[str]) -> Context:
    store = Store.open(root / "brand_voice.db")
    return Context(Workspace(root), Settings(), brand, store, lambda items, _label, _total: items, told.append)


@pytest.fixture
def place(tmp_path: Path, tidewater: BrandFolder) -> Iterator[Place]:
    told: list[str] = []
    context = opened(tmp_path, tidewater, told)
    for name in (A, B, C):
        an_adapter(context.workspace.adapters, name)
    place = Place(context, told)
    place.golden("golden-1", tidewater.briefs[:3])
    with context.store:
        yield place


def standing(place: Place) -> Standing:
    return place.context.store.standing("tidewater")


def test_an_adapter_with_a_good_report_goes_live_with_the_report_attached(place: Place) -> None:
    folder = place.evaluated(C, "base")
    done = promotion.promote(place.context, None, by=" Ada ")
    assert (done.adapter, done.previous, done.report, done.golden, done.by) == (C, None, folder, "golden-1", "Ada")
    assert not done.is_forced
    assert standing(place) == Standing(C)
    assert promotion.adapter_of(place.context).name == C
    an_adapter(place.context.workspace.adapters, "tidewater@05")
    assert promotion.adapter_of(place.context).name == promotion.candidate_of(place.context, "tidewater").name == C
    assert promotion.candidate_of(place.context).name == "tidewater@05"
    assert promotion.history(place.context) == ((done,), {"golden-1": 1})


def test_a_refusal_names_every_reason_and_changes_nothing(place: Place) -> None:
    place.evaluated(B, "base", NO_WORSE | {"voice": (-0.2, 0.05), "truth": (-0.1, 0.02)})
    with pytest.raises(PromotionError) as refused:
        promotion.promote(place.context, B, by="Ada")
    assert len(refused.value.reasons) == 3
    assert all(reason in refused.value.message for reason in refused.value.reasons)
    assert "--force" in refused.value.remedy
    with pytest.raises(PromotionError, match="there is no report on tidewater@03") as refused:
        promotion.promote(place.context, C, by="Ada")
    assert refused.value.remedy == f"brand-voice evaluate --brand tidewater --adapter {C} --against base"
    assert standing(place) == Standing()


def test_the_newest_report_that_fits_decides_whatever_another_one_says(place: Place) -> None:
    place.live(A)
    place.evaluated(B, A, created_at="2026-11-23T01")
    newest = place.evaluated(B, A, NO_WORSE | {"voice": (-0.2, 0.05)}, created_at="2026-11-23T02")
    place.evaluated(B, "teacher", created_at="2026-11-23T03")
    (place.context.workspace.evaluations / "broken").mkdir()
    (place.context.workspace.evaluations / "broken" / "report.json").write_text("{")
    judged = promotion.judge(place.context, promotion.adapter_of(place.context, B))
    assert judged.filed is not None
    assert (judged.filed.folder, judged.decides, judged.gate.passes) == (newest, True, False)
    assert "broken" in judged.gate.remarks[0]
    place.live(C)
    judged = promotion.judge(place.context, promotion.adapter_of(place.context, B))
    assert not judged.decides, "a report against the adapter that was live before decides nothing any more"


def test_a_report_made_again_until_it_passes_does_not_pass(place: Place) -> None:
    refused = place.evaluated(A, "base", BETTER | {"truth": (-0.1, 0.01)}, samples=1)
    place.evaluated(A, "base", samples=2, created_at="2026-11-24")
    judged = promotion.judge(place.context, promotion.adapter_of(place.context, A))
    assert len(judged.gate.reasons) == 1
    assert refused in judged.gate.reasons[0]
    wide = a_report(BETTER | {"voice": (0.02, 0.3)}).differences[2].model_copy(update={"margin": 0.3})
    tight = wide.model_copy(update={"margin": 0.01})
    known = [each for each in a_report(BETTER).differences if each.measure != "voice"]
    gains = known[0].model_copy(update={"candidate": 0.9, "low": 0.2})
    place.evaluated(B, "base", differences=(gains, *known[1:], tight))
    place.evaluated(B, "base", differences=(gains, *known[1:], wide), created_at="2026-11-24")
    judged = promotion.judge(place.context, promotion.adapter_of(place.context, B))
    assert any("rule out a loss of 3" in reason for reason in judged.gate.reasons), "by the margin declared first"


def test_a_golden_set_is_worn_by_every_adapter_that_was_held_against_its_briefs(
    place: Place, tidewater: BrandFolder
) -> None:
    place.evaluated(A, "teacher", created_at="2026-11-23T01")
    place.evaluated(A, "base", created_at="2026-11-23T02")
    place.evaluated(B, "base", NO_WORSE, created_at="2026-11-23T03")
    looks = {name: promotion.looks(place.context, "golden-1", name) for name in (A, B, C)}
    assert looks == {A: 0, B: 1, C: 2}, "a refusal is a look, and a second report on the same adapter none"
    place.golden("one-more", tidewater.briefs[:4])
    place.golden("mostly-new", tidewater.briefs[:6])
    assert promotion.looks(place.context, "one-more", C) == 2
    assert promotion.looks(place.context, "mostly-new", C) == 0


@pytest.mark.parametrize("broken", ["wording", "damage"])
def test_a_live_adapter_that_cannot_be_used_gives_way_to_the_base(place: Place, broken: str) -> None:
    place.live(B, A)
    assert promotion.opponent(place.context) == A
    folder = place.context.workspace.adapters / A
    if broken == "wording":
        manifest = named(folder.parent, "tidewater", A)
        write_manifest(folder, manifest.model_copy(update={"prompt_hash": "another"}))
    else:
        (folder / "adapter_model.safetensors").unlink()
    assert promotion.opponent(place.context) == "base"
    assert named(folder.parent, "tidewater", A).name == A, "its dates can be read all the same"
    with pytest.raises(PromotionError) as refused:
        promotion.promote(place.context, C, by="Ada")
    assert refused.value.remedy.endswith("--against base")
    place.evaluated(C, "base")
    judged = promotion.judge(place.context, promotion.adapter_of(place.context, C))
    assert judged.gate.passes
    assert judged.gate.remarks[0].startswith(f"{A} is live, but cannot be used, so the base stands in for it")
    promotion.promote(place.context, C, by="Ada")
    assert standing(place).live == C


def test_votes_cast_after_the_report_are_heard(place: Place, tidewater: BrandFolder) -> None:
    place.live(A)
    place.evaluated(B, A)
    store, context = place.context.store, place.context
    store.save_brand_briefs(tidewater.briefs)
    unseen = [b for b in tidewater.briefs if split_of(b, is_unseen=tidewater.is_unseen(b)) in golden.HELD_OUT][:60]
    for brief in unseen:
        for name in (A, B):
            store.save_drafts([a_draft(brief, name)])
        vote = Vote(brand="tidewater", left=f"{A}-{brief.hash}", right=f"{B}-{brief.hash}", choice="left", voter="ann")
        store.add_vote(vote)
    (reason,) = promotion.judge(context, promotion.adapter_of(context, B)).gate.reasons
    assert reason.startswith("people's blind votes find it worse: it won 0%")


def a_draft(brief: Brief, name: str) -> Draft:
    told = {"brand": "tidewater", "brief_id": brief.id, "brief_hash": brief.hash, "text": f"By {name}."}
    return Draft(id=f"{name}-{brief.hash}", author="student", model=name, adapter=name, **told)


def test_forcing_needs_a_reason_which_stays_and_the_golden_set_did_not_decide(place: Place) -> None:
    folder = place.evaluated(A, "base", NO_WORSE)
    for by, reason in (("Ada", " "), (" ", "a launch")):
        with pytest.raises(InputError):
            promotion.promote(place.context, A, by=by, force_reason=reason)
    forced = promotion.promote(place.context, A, by="Ada", force_reason="a launch")
    assert (forced.is_forced, forced.reason, forced.golden, forced.report) == (True, "a launch", None, folder)
    assert promotion.history(place.context).decided == {}
    place.evaluated(B, A)
    assert not promotion.promote(place.context, B, by="Ada", force_reason="to be sure").is_forced


@pytest.mark.parametrize("name", [A, "tidewater"])
def test_promoting_what_is_live_says_so(place: Place, name: str) -> None:
    place.live(A)
    with pytest.raises(PromotionError, match=f"{A} is live for tidewater already"):
        promotion.promote(place.context, name, by="Ada", force_reason="again")


def test_two_rollbacks_in_a_row_go_back_two_and_a_third_has_nowhere_to_go(place: Place) -> None:
    place.live(A, B, C)
    back = promotion.rollback(place.context, by="Ben", reason="it shouts")
    assert (back.adapter, back.previous, back.reason) == (B, C, "it shouts")
    assert promotion.rollback(place.context, by="Ben").adapter == A
    with pytest.raises(PromotionError, match=f"{A} is live for tidewater, and no usable one was before it"):
        promotion.rollback(place.context, by="Ben")
    place.live(C)
    assert promotion.rollback(place.context, by="Ben").adapter == A, "B was left behind"


def test_a_rollback_passes_over_an_adapter_that_is_damaged(place: Place) -> None:
    place.live(A, B, C)
    (place.context.workspace.adapters / B / "adapter_model.safetensors").unlink()
    assert promotion.rollback(place.context, by="Ben").adapter == A
    assert any(line.startswith(f"{B} is passed over") for line in place.told)


def test_a_rollback_never_goes_back_to_what_is_live(place: Place) -> None:
    place.live(A, B, A)
    (place.context.workspace.adapters / B / "adapter_model.safetensors").unlink()
    with pytest.raises(PromotionError, match="no usable one was before it"):
        promotion.rollback(place.context, by="Ben")
    assert [change.act for change in promotion.history(place.context).changes] == ["promote"] * 3


def test_a_live_adapter_that_is_gone_can_be_left(place: Place) -> None:
    place.live(A, B)
    (place.context.workspace.adapters / B / "manifest.json").unlink()
    with pytest.raises(ArtifactError) as refused:
        promotion.adapter_of(place.context)
    assert "brand-voice rollback" in refused.value.remedy
    promotion.rollback(place.context, by="Ben")
    assert promotion.adapter_of(place.context).name == A


def test_a_canary_runs_beside_the_live_one_until_it_is_ended_or_something_else_goes_live(place: Place) -> None:
    with pytest.raises(PromotionError, match="nothing is live"):
        promotion.start_canary(place.context, B, 0.1, by="Ada")
    place.live(A)
    promotion.start_canary(place.context, B, 0.1, by="Ada")
    assert standing(place) == Standing(A, B, 0.1)
    assert not any("no traffic yet" in line for line in place.told)
    promotion.end_canary(place.context, by="Ada")
    assert standing(place) == Standing(A)
    with pytest.raises(PromotionError, match="no canary"):
        promotion.end_canary(place.context, by="Ada")
    promotion.start_canary(place.context, B, 0.1, by="Ada")
    place.live(B)
    assert standing(place) == Standing(B)
    merged = ServerAddress(pid=os.getpid(), base_url="http://127.0.0.1:9/v1", key=KEY, models=(B,))
    publish(StudentServer(merged), place.context.workspace.server_file)
    promotion.start_canary(place.context, C, 0.5, by="Ada")
    assert "holds one adapter only, so it gets no traffic yet" in place.told[-1]
    assert promotion.rollback(place.context, by="Ben").adapter == A, "a canary was never live"
    assert standing(place) == Standing(A)


def test_a_canary_that_cannot_be_served_beside_the_live_one_is_refused(place: Place) -> None:
    place.live(A)
    an_adapter(place.context.workspace.adapters, "tidewater@04", student_hash="of another student")
    merged = place.context._replace(settings=Settings(serve=ServeSettings(mode="merged")))
    for context, adapter, told in (
        (place.context, "tidewater@04", "different students"),
        (place.context, A, "is live for tidewater already"),
        (merged, B, "one adapter only"),
    ):
        with pytest.raises(PromotionError, match=told):
            promotion.start_canary(context, adapter, 0.1, by="Ada")
    for share in (0.0, 1.0, -0.1):
        with pytest.raises(InputError, match="share"):
            promotion.start_canary(place.context, B, share, by="Ada")
    assert standing(place) == Standing(A)


def test_of_two_promotions_at_once_the_second_is_refused(place: Place) -> None:
    place.evaluated(C, A, created_at="2026-02-01")
    place.evaluated(B, A)
    place.live(A)

    def meanwhile(line: str) -> None:
        """The gate has let B pass, and B is not live yet."""
        if "golden set" in line:
            place.live(C)

    with pytest.raises(ConflictError, match=f"{C} is live for tidewater by now, not {A}"):
        promotion.promote(place.context._replace(notify=meanwhile), B, by="Ben")
    assert standing(place) == Standing(C)
    assert [change.adapter for change in promotion.history(place.context).changes] == [A, C]


def promote_until_killed(root: Path, told: Connection) -> None:
    """In its own process: change what is live, and on, and on."""
    context = opened(root, load_brand("tidewater"), [])
    while True:
        for adapter in (B, C):
            promotion.promote(context, adapter, by="Ada", force_reason="once more")
            told.send(adapter)
        for _ in (B, C):
            with suppress(PromotionError):
                told.send(promotion.rollback(context, by="Ada").adapter)


def test_a_kill_between_anything_leaves_the_old_standing_or_the_new_one(place: Place) -> None:
    place.live(A)
    for changes in (1, 4):
        ours, theirs = SPAWN.Pipe()
        before = len(place.context.store.promotions("tidewater"))
        process = SPAWN.Process(target=promote_until_killed, args=(place.context.workspace.root, theirs))
        process.start()
        told = [ours.recv() for _ in range(changes)]
        process.kill()
        process.join()
        rows = place.context.store.promotions("tidewater")
        assert [row.adapter for row in rows[before:]][:changes] == told, "what was told is kept"
        assert all(later.previous == earlier.adapter for earlier, later in itertools.pairwise(rows))
        assert standing(place) == Standing(rows[-1].adapter)
        while standing(place).live != A:
            promotion.rollback(place.context, by="Ada")


def test_status_says_what_is_live_and_leads_from_the_report_to_the_promotion(place: Place) -> None:
    assert promotion.next_step(place.context) == (
        f"brand-voice evaluate --brand tidewater --adapter {C} --against base"
    )
    place.evaluated(C, "base")
    assert promotion.next_step(place.context) == "brand-voice promote --brand tidewater"
    place.evaluated(C, "base", NO_WORSE, created_at="2026-11-24")
    assert promotion.next_step(place.context) is None, "the gate refuses: evaluating again would not help"
    promotion.promote(place.context, C, by="Ada", force_reason="a launch")
    assert promotion.next_step(place.context) is None
    promotion.start_canary(place.context, B, 0.25, by="Ada")
    state = state_of(place.context)
    assert (state.live, state.canary, state.share) == (C, B, 0.25)
    assert f"live       {C}; {B} gets 25%" in state.screen()


def test_the_commands_promote_roll_back_and_list(place: Place) -> None:
    def bv(*arguments: str, code: int = 0) -> str:
        options = ["--brand", "tidewater", "--workspace", str(place.context.workspace.root)]
        done = CliRunner().invoke(app, [*arguments, *options], env={"BRAND_VOICE_REVIEWER": "Ada"})
        assert done.exit_code == code, done.output
        return done.output

    assert "there is no report" in bv("promote", "--adapter", A, code=1)
    assert "forced" in bv("promote", "--adapter", A, "--force", "a launch")
    place.evaluated(B, A)
    assert B in bv("promote", "--adapter", B)
    assert f"{C} gets 10% of the traffic" in bv("promote", "--canary", "10%")
    assert "lies between" in bv("promote", "--canary", "10", code=1)
    listed = json.loads(bv("adapters", "--json"))
    assert [(each["mark"], each["decision"]) for each in listed] == [("", None), ("live", "ready"), ("canary", None)]
    assert f"live   {B}" in bv("adapters")
    assert "gets all traffic again" in bv("promote", "--canary", "0%")
    assert f"{A} is back" in bv("rollback", "--reason", "it shouts")
    assert f"{A} is back (before: {B}), by Ada: it shouts" in bv("history")
    kept = json.loads(bv("history", "--json"))
    assert [each["act"] for each in kept["changes"]] == ["promote", "promote", "canary", "end_canary", "rollback"]
    assert (kept["decided"], kept["changes"][0]["reason"]) == ({"golden-1": 1}, "a launch")


def test_the_history_sets_a_canary_beside_what_is_live(place: Place) -> None:
    store = place.context.store
    place.live(A)
    promotion.start_canary(place.context, B, 0.25, by="Ada")

    def row(adapter: str | None, status: int, latency_ms: float) -> Served:
        return Served(
            brand="tidewater", key="k", path="p", model="m", adapter=adapter, status=status, latency_ms=latency_ms
        )

    store.log_served([row(A, 200, number) for number in range(1, 101)])
    store.log_served([row(B, 200, 7), row(B, 502, 900), row(B, 503, 900), row(B, 499, 900), row(None, 400, 1)])
    brief = place.context.brand.briefs[0]
    known = {"brand": "tidewater", "brief_id": brief.id, "brief_hash": brief.hash, "author": "student", "model": B}
    store.save_brand_briefs([brief])
    store.save_draft(Draft(id="d", adapter=B, text="x", **known))
    store.escalate([Escalation(brand="tidewater", brief_hash=brief.hash, draft_id="d", why="blocked")])
    assert store.traffic("tidewater") == ((A, 100, 0, 0, 50, 95), (B, 4, 2, 1, 7, 7))
    assert store.traffic("vela") == ()
    options = ["history", "--brand", "tidewater", "--workspace", str(place.context.workspace.root)]
    told = CliRunner().invoke(app, options).output
    assert f"live   {A}  100 requests, 0 failed, 0 handed to the teacher; 50 ms p50, 95 ms p95" in told
    assert f"canary {B}  4 requests, 2 failed, 1 handed to the teacher; 7 ms p50, 7 ms p95" in told
    assert json.loads(CliRunner().invoke(app, [*options, "--json"]).stdout)["traffic"][1]["failures"] == 2


def test_in_the_app_the_student_is_the_live_adapter_where_it_is_served(place: Place) -> None:
    class Served:
        """What a seat asks of a server."""

        is_alive = True
        models = (B, A, C, "vela@01")

    live: Callable[[str], str | None] = lambda brand: place.context.store.standing(brand).live  # noqa: E731
    seat = StudentSeat(Served(), live)
    assert seat.adapters("tidewater") == (A, B, C)
    place.live(A)
    assert seat.adapters("tidewater") == (B, C, A)
