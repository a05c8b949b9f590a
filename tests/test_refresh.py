"""Refresh on a real workspace: what counts as new, what it comes to, and kills at every step."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from shutil import copytree
from typing import NamedTuple

import pytest
from reports import BETTER, NO_WORSE, a_report, an_adapter, file_report
from safetensors.torch import load_file
from servers import KEY, misbehaving_server
from small_brand import keep_briefs

from brand_voice import distill, generate, golden, loop, promotion, snapshot
from brand_voice.address import ServerAddress
from brand_voice.brand import load_brand
from brand_voice.chat import Chat
from brand_voice.cli.shell import opened
from brand_voice.context import Context
from brand_voice.errors import ConflictError, InputError, TrainingError
from brand_voice.merge import find_base
from brand_voice.prompts import student_messages
from brand_voice.records import AdapterManifest, Review, Sampling
from brand_voice.refresh import Ask, Refreshed, _alone, fresh_approvals, refresh
from brand_voice.serve import StudentServer, publish
from brand_voice.settings import Settings
from brand_voice.shipped import shipped
from brand_voice.workspace import Workspace

COMMAND = [sys.executable, "-c", "from brand_voice.cli.main import main; main()"]
BRIEFS = 24
SETTINGS = """
student = '{base}'
[training]
max_steps = 3
max_length = 900
[refresh]
min_new = 5
samples = 1
[serve]
enforce_eager = true
[margins]
all_pass = 0.9
truth = 0.9
voice = 0.9
diversity = 0.9
"""
"""Margins that a handful of golden briefs cannot lose: what is tested here is the way there."""


def reviewed(root: Path, base: Path) -> Path:
    """A workspace with the drafts and reviews of a few briefs."""
    brand = Path(copytree(shipped("data") / "brands" / "tidewater", root / "brands" / "tidewater"))
    keep_briefs(brand, slice(BRIEFS))
    (root / "brand_voice.toml").write_text(SETTINGS.format(base=base))
    with opened(root, "tidewater", Settings()) as context:
        loop.write_drafts(context, loop.Ask())
        loop.screen_drafts(context)
        loop.apply_recorded_reviews(context)
    return root


class Place(NamedTuple):
    """A workspace whose snapshot has an adapter, without weights, that a refresh finds."""

    context: Context
    adapter: AdapterManifest
    golden: str

    def report(self, *, against: str = "base", changes=BETTER) -> str:
        known = {"adapter": self.adapter.name, "against": against, "golden": self.golden}
        known |= {
            "snapshot": self.adapter.snapshot,
            "guide_version": self.context.brand.guide.version,
            "created_at": "2099-01-01",
        }
        return file_report(self.context.workspace.evaluations, a_report(changes, **known))

    def refresh(self, *, is_auto: bool = False) -> Refreshed:
        return refresh(self.context, Ask(is_auto=is_auto), bar=lambda _: nullcontext(lambda *_: None))


@pytest.fixture(scope="module")
def seeded(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return reviewed(tmp_path_factory.mktemp("reviewed"), base)


@pytest.fixture
def place(seeded: Path, base: Path, tmp_path: Path) -> Iterator[Place]:
    from brand_voice.settings import load

    root = Path(copytree(seeded, tmp_path / "ws"))
    with opened(root, "tidewater", load(root / "brand_voice.toml")) as context:
        briefs = [golden.GoldenBrief(brief=b, split="test") for b in context.brand.briefs[:3]]
        asked = golden.freeze("tidewater", briefs, context.workspace.golden).name
        frozen = loop.freeze(context)
        training = context.settings.training.model_dump() | {"renames": False}
        known = {"snapshot": frozen.name, "training": training, "student_hash": find_base(base).hash}
        adapter = an_adapter(context.workspace.adapters, "tidewater@02", **known)
        yield Place(context, adapter, asked)


def test_an_adapter_that_the_gate_lets_pass_is_proposed_and_promoted_only_when_asked(place: Place) -> None:
    report = place.report()
    proposed = place.refresh()
    assert (proposed.outcome, proposed.adapter, proposed.report) == ("proposed", "tidewater@02", report)
    assert "brand-voice promote --brand tidewater --adapter tidewater@02" in proposed.sentence
    assert place.context.store.standing("tidewater").live is None
    assert place.refresh(is_auto=True).outcome == "promoted"
    (done,) = place.context.store.promotions("tidewater")
    assert (done.adapter, done.by, done.report, done.is_forced) == ("tidewater@02", "refresh", report, False)
    again = place.refresh(is_auto=True)
    assert (again.outcome, again.fresh) == ("nothing_new", 0)


def test_what_the_gate_refuses_stays_out_with_its_reasons(place: Place) -> None:
    place.report(changes=NO_WORSE)
    done = place.refresh(is_auto=True)
    assert done.outcome == "refused"
    assert "better than the base" in done.sentence
    assert not place.context.store.promotions("tidewater")


def test_what_a_person_rolled_back_is_not_promoted_again(place: Place) -> None:
    an_adapter(place.context.workspace.adapters, "tidewater@01")
    promotion.promote(place.context, "tidewater@01", by="ann", force_reason="to begin with")
    place.report(against="tidewater@01", changes=NO_WORSE)
    assert place.refresh(is_auto=True).outcome == "promoted"
    promotion.rollback(place.context, by="ann", reason="it shouts")
    done = place.refresh(is_auto=True)
    assert done.outcome == "refused"
    assert "ann rolled it back" in done.sentence and "it shouts" in done.sentence
    assert place.context.store.standing("tidewater").live == "tidewater@01"


def test_only_new_approvals_that_can_be_trained_on_count(place: Place) -> None:
    place.report()
    place.refresh(is_auto=True)
    store, brand = place.context.store, place.context.brand
    assert fresh_approvals(place.context, "tidewater@02") == []
    sides: dict[str, list[str]] = {}
    for item in store.approved("tidewater"):
        split = snapshot.split_of(item.brief, is_unseen=brand.is_unseen(item.brief))
        sides.setdefault(split, []).append(item.draft.id)
    for draft_id in [*sides["train"][:4], *sides["test"][:3]]:
        text = f"{store.draft(draft_id).text} Yes."
        number = len(store.reviews(draft_id)) + 1
        store.add_review(Review(draft_id=draft_id, revision=number, verdict="edit", final_text=text, reviewer="ann"))
    assert {a.draft.id for a in fresh_approvals(place.context, "tidewater@02")} == set(sides["train"][:4])
    done = place.refresh(is_auto=True)
    assert (done.outcome, done.fresh) == ("nothing_new", 4), "five make a refresh"
    assert len(snapshot.manifests(place.context.workspace.snapshots, "tidewater")) == 1


def edit(context: Context, count: int) -> None:
    """Give so many new approvals on the training side."""
    store, brand = context.store, context.brand
    items = (a for a in store.approved("tidewater") if not brand.is_unseen(a.brief))
    for item in [a for a in items if snapshot.split_of(a.brief, is_unseen=False) == "train"][:count]:
        text, number = f"{item.review.final_text} Yes.", item.review.revision + 1
        moment = f"2098-01-01T00:00:0{number}+00:00"  # later than anything that was looked at in the same second
        said = {"draft_id": item.draft.id, "revision": number, "verdict": "edit", "final_text": text}
        store.add_review(Review.model_validate(said | {"reviewer": "ann", "created_at": moment}))


def test_after_a_refusal_a_further_look_takes_as_many_new_approvals_again(place: Place) -> None:
    looked = place.report(changes=NO_WORSE)
    edit(place.context, 4)
    done = place.refresh(is_auto=True)
    assert (done.outcome, done.fresh, done.adapter) == ("refused", 4, place.adapter.name), "decided, not trained again"
    assert len(snapshot.manifests(place.context.workspace.snapshots, "tidewater")) == 1
    place.context.workspace.evaluations.joinpath(looked, "report.json").unlink()
    assert len(fresh_approvals(place.context, None)) > 4, "without that look they would count"
    edit(place.context, 5)
    place.report(changes=NO_WORSE)
    with pytest.raises(TrainingError, match="distill was next"):
        refresh(place.context, Ask(is_auto=True), bar=no_training)


def no_training(label: str) -> AbstractContextManager[distill.OnStep]:
    raise TrainingError(f"{label} was next", remedy="none: this is as far as the test goes")


def test_one_approval_after_a_rollback_does_not_bring_its_like_back(place: Place) -> None:
    an_adapter(place.context.workspace.adapters, "tidewater@01", created_at="2026-01-01T00:00:00+00:00")
    promotion.promote(place.context, "tidewater@01", by="ann", force_reason="to begin with")
    promotion.promote(place.context, place.adapter.name, by="ann", force_reason="it looks good")
    promotion.rollback(place.context, by="ann", reason="it shouts")
    edit(place.context, 4)
    done = place.refresh(is_auto=True)
    assert (done.outcome, done.fresh, done.live) == ("nothing_new", 4, "tidewater@01")
    assert len(fresh_approvals(place.context, "tidewater@01")) > 5, "since the live one's snapshot there are enough"


@pytest.mark.parametrize("notice", ["== snapshot", "not read, damaged"])
def test_whoever_promotes_during_a_refresh_ends_it(place: Place, notice: str) -> None:
    an_adapter(place.context.workspace.adapters, "tidewater@03")
    if notice != "== snapshot":
        place.report(changes=NO_WORSE)
        (place.context.workspace.evaluations / "broken").mkdir()
        (place.context.workspace.evaluations / "broken" / "report.json").write_text("{")

    def meanwhile(told: str) -> None:
        if told.startswith(notice):
            promotion.promote(place.context, "tidewater@03", by="bea", force_reason="now")

    with pytest.raises(ConflictError, match="tidewater@03 is live for tidewater by now, not nothing"):
        place._replace(context=place.context._replace(notify=meanwhile)).refresh()


def test_a_served_student_s_approved_text_counts_and_is_trained_on(place: Place) -> None:
    store, brand = place.context.store, place.context.brand
    sides = (b for b in brand.briefs[3:] if snapshot.split_of(b, is_unseen=brand.is_unseen(b)) == "train")
    with misbehaving_server() as server, ExitStack() as stack:
        base_url = server.endpoint("ok").base_url
        address = ServerAddress(pid=os.getpid(), base_url=base_url, key=KEY, models=("ok",))
        chat = stack.enter_context(Chat(StudentServer(address).endpoint("ok")))
        known = {"author": "student", "model": "ok", "sampling": Sampling()}
        wanted = generate.requests([next(sides)], lambda b: student_messages(brand.guide, b), **known)
        (draft,) = generate.generate(wanted, chat, Sampling(), adapter="tidewater@02")
    store.save_draft(draft)
    said = {"draft_id": draft.id, "revision": 1, "verdict": "approve", "final_text": draft.text, "reviewer": "ann"}
    store.add_review(Review.model_validate(said))
    assert draft.id in {a.draft.id for a in fresh_approvals(place.context, None)}
    frozen = loop.freeze(place.context)
    examples = snapshot.load(place.context.workspace.snapshots / frozen.name, "train")
    assert draft.id in {e.draft_id for e in examples}
    assert frozen.by_student == 1


def test_two_refreshes_of_a_brand_never_run_at_once(place: Place) -> None:
    with _alone(place.context), pytest.raises(ConflictError, match=f"process {os.getpid()}"):
        place.refresh()
    place.report()
    assert place.refresh().outcome == "proposed", "the lock was given back"


def test_too_few_edits_stop_it_before_anything_is_trained(place: Place) -> None:
    with pytest.raises(InputError, match="DPO wants 30"):
        refresh(place.context, Ask(prefers=True), bar=lambda _: nullcontext(lambda *_: None))


def kill_at(notice: str, root: Path) -> None:
    """Run a refresh and kill it as soon as it says this."""
    call = [*COMMAND, "refresh", "--brand", "tidewater", "--auto", "--workspace", str(root)]
    with subprocess.Popen(call, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        told = []
        for line in process.stderr:
            told.append(line)
            if notice in line:
                break
        else:
            raise AssertionError(f"never said {notice!r}: {''.join(told)}")
        process.send_signal(signal.SIGKILL)


KILLED_INSIDE = """
import os, signal, sys
from contextlib import contextmanager
from pathlib import Path
from brand_voice.cli.shell import opened
from brand_voice.refresh import Ask, refresh
from brand_voice.settings import load

root, is_early = Path(sys.argv[1]), sys.argv[2] == "training"

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

@contextmanager
def bar(_):
    yield die if is_early else lambda *_: None
    die()

with opened(root, "tidewater", load(root / "brand_voice.toml")) as context:
    refresh(context, Ask(is_auto=True), bar=bar)
"""
"""A refresh that is killed at the first step of training, or when the adapter is saved and nothing was said of it."""


def kill_inside(when: str, root: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED_INSIDE, str(root), when], check=False)
    assert done.returncode == -signal.SIGKILL


def test_killed_at_every_step_and_run_again_it_ends_where_an_undisturbed_run_ends(
    base: Path, adapter: Path, server: StudentServer, tmp_path: Path
) -> None:
    root = tmp_path / "ws"
    copytree(adapter, root / "adapters" / adapter.name)
    reviewed(root, base)
    publish(StudentServer(server.address), Workspace(root).server_file)
    from brand_voice.settings import load

    with opened(root, "tidewater", load(root / "brand_voice.toml")) as context:
        promotion.promote(context, adapter.name, by="ann", force_reason="to begin with")
        kill_at("== snapshot", root)
        kill_inside("training", root)
        (before,) = snapshot.manifests(context.workspace.snapshots, "tidewater")
        edit(context, 1)  # what comes in between belongs to the next run
        kill_inside("saved", root)
        kill_at("== promote", root)
        call = [*COMMAND, "refresh", "--brand", "tidewater", "--auto", "--workspace", str(root)]
        done = subprocess.run(call, check=True, capture_output=True, text=True)
        assert re.search("is live in place of|nothing new", done.stdout)
        first, frozen = snapshot.manifests(context.workspace.snapshots, "tidewater")
        assert (first, loop.trained(context, first.name)) == (before, None)
        made = loop.trained(context, frozen.name)
        assert made is not None
        assert {p.name for p in context.workspace.adapters.glob("[!.]*")} == {adapter.name, made.name}
        assert [p.adapter for p in context.store.promotions("tidewater")] == [adapter.name, made.name]
        assert len(list(context.workspace.evaluations.glob("*/report.json"))) == 1
        undisturbed = distill.distill(
            load_brand("tidewater").guide,
            distill.Snapshot(
                frozen,
                snapshot.load(context.workspace.snapshots / frozen.name, "train"),
                snapshot.load(context.workspace.snapshots / frozen.name, "validation"),
            ),
            str(base),
            context.settings.training,
            parent=tmp_path / "undisturbed",
            on_step=lambda *_: None,
        )
    ours = load_file(root / "adapters" / made.name / "adapter_model.safetensors")
    theirs = load_file(tmp_path / "undisturbed" / undisturbed.name / "adapter_model.safetensors")
    assert all((ours[name] - theirs[name]).abs().max() < 1e-4 for name in ours)
