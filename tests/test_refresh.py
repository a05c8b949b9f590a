"""Refresh on a real workspace: what counts as new, what it comes to, and kills at every step."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from shutil import copytree
from typing import NamedTuple

import pytest
from reports import BETTER, NO_WORSE, a_report, an_adapter, file_report
from safetensors.torch import load_file
from small_brand import keep_briefs

from brand_voice import distill, golden, loop, promotion, snapshot
from brand_voice.brand import load_brand
from brand_voice.cli.shell import opened
from brand_voice.context import Context
from brand_voice.errors import ConflictError, InputError
from brand_voice.merge import find_base
from brand_voice.records import AdapterManifest, Review
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
        known |= {"guide_version": self.context.brand.guide.version, "created_at": "2099-01-01"}
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
        frozen = loop.freeze(context)
        training = context.settings.training.model_dump() | {"renames": False}
        known = {"snapshot": frozen.name, "training": training, "student_hash": find_base(base).hash}
        adapter = an_adapter(context.workspace.adapters, "tidewater@02", **known)
        briefs = [golden.GoldenBrief(brief=b, split="test") for b in context.brand.briefs[:3]]
        yield Place(context, adapter, golden.freeze("tidewater", briefs, context.workspace.golden).name)


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
        for notice in ("== snapshot", "== distill", "== evaluate", "== promote"):
            kill_at(notice, root)
        call = [*COMMAND, "refresh", "--brand", "tidewater", "--auto", "--workspace", str(root)]
        done = subprocess.run(call, check=True, capture_output=True, text=True)
        assert re.search("is live in place of|nothing new", done.stdout)
        (frozen,) = snapshot.manifests(context.workspace.snapshots, "tidewater")
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
