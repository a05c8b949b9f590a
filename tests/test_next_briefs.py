"""What comes back to be labelled, from a real store, and in which order."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from brand_voice import snapshot
from brand_voice.brand import BrandFolder
from brand_voice.cli.main import app
from brand_voice.cli.shell import opened
from brand_voice.context import Context
from brand_voice.live import Escalation, Promotion
from brand_voice.next_briefs import next_briefs
from brand_voice.records import Brief, Draft, Finding, Review, Screening
from brand_voice.settings import Settings


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    with opened(tmp_path, "tidewater", Settings()) as context:
        yield context


@pytest.fixture
def training(tidewater: BrandFolder) -> list[Brief]:
    """Briefs that may be trained on, taglines of different products first."""
    sides = (b for b in tidewater.briefs if snapshot.split_of(b, is_unseen=tidewater.is_unseen(b)) == "train")
    by_product = {b.product.name: b for b in sides if b.channel == "tagline"}
    return list(by_product.values())


def judged(
    context: Context,
    brief: Brief,
    verdict: str | None,
    *,
    author: str = "teacher",
    blocks: int = 0,
    adapter: str | None = None,
) -> None:
    """Store a draft for a brief with a verdict and so many blocking findings."""
    draft = Draft(
        id=f"{brief.id}-{author}",
        brand=brief.brand,
        brief_id=brief.id,
        brief_hash=brief.hash,
        author=author,
        model="m",
        adapter=adapter,
        text="Some copy.",
    )
    found = (Finding(rule="r", check="length", severity="block", message="m"),) * blocks
    context.store.save_brand_briefs([brief])
    context.store.save_draft(draft)
    context.store.save_screening(Screening(draft_id=draft.id, guide_version="g", findings=found))
    if verdict:
        reasons, text = (("off_voice",), None) if verdict == "reject" else ((), draft.text)
        review = {"draft_id": draft.id, "revision": 1, "verdict": verdict, "final_text": text, "reasons": reasons}
        context.store.add_review(Review.model_validate(review | {"reviewer": "ann"}))


def escalate(context: Context, brief: Brief, *why: str) -> None:
    context.store.save_brand_briefs([brief])
    rows = [{"brand": brief.brand, "brief_hash": brief.hash, "draft_id": "d", "why": each} for each in why]
    context.store.escalate(Escalation.model_validate(row) for row in rows)


def test_escalated_and_rejected_briefs_come_back_until_something_is_approved(
    context: Context, training: list[Brief]
) -> None:
    escalated, rejected, labelled = training[:3]
    escalate(context, escalated, "blocked", "uncertain", "blocked")
    judged(context, rejected, "reject")
    escalate(context, labelled, "blocked")
    judged(context, labelled, "approve")
    found = {each.brief.id: each for each in next_briefs(context)}
    assert found.keys() == {escalated.id, rejected.id}
    assert found[escalated.id].times == {"blocked": 2, "uncertain": 1}
    assert (found[rejected.id].times, found[rejected.id].reasons) == ({"rejected": 1}, ("off_voice",))


def test_what_is_held_out_never_comes_back(context: Context, tidewater: BrandFolder) -> None:
    sides = {snapshot.split_of(b, is_unseen=tidewater.is_unseen(b)): b for b in tidewater.briefs}
    for split in ("validation", "test", "unseen_product"):
        escalate(context, sides[split], "failed")
    assert next_briefs(context) == []


def test_often_asked_comes_first_and_far_from_what_is_known_before_near(
    context: Context, training: list[Brief]
) -> None:
    known, once, often = training[:3]
    near = known.model_copy(update={"id": "near", "key_message": known.key_message + " Always."})
    near = next(  # a variant on the training side
        brief
        for number in range(100)
        if snapshot.split_of(
            brief := near.model_copy(update={"key_message": f"{near.key_message} {'Yes. ' * number}".strip()}),
            is_unseen=False,
        )
        == "train"
    )
    judged(context, known, "approve")
    for brief, times in ((once, 1), (often, 6), (near, 1)):
        escalate(context, brief, *["uncertain"] * times)
    found = next_briefs(context)
    assert [each.brief.id for each in found] == [often.id, once.id, "near"]
    assert found[-1].nearest == known.id
    assert found[-1].distance < 0.1 < found[1].distance


def test_a_channel_that_the_student_fails_in_comes_before_one_it_masters(
    context: Context, tidewater: BrandFolder, training: list[Brief]
) -> None:
    sides = (b for b in tidewater.briefs if snapshot.split_of(b, is_unseen=tidewater.is_unseen(b)) == "train")
    sms = [b for b in sides if b.channel == "sms"]
    for number in range(1, 6):
        judged(context, training[number], None, author="student")
        judged(context, sms[number], None, author="student", blocks=1)
    escalate(context, training[0], "uncertain")
    escalate(context, sms[0], "uncertain")
    found = next_briefs(context)
    assert [each.brief.channel for each in found] == ["sms", "tagline"]
    assert [(each.passed.hits, each.passed.of) for each in found] == [(0, 5), (5, 5)]
    assert found[0].score == pytest.approx((1 + 6 / 7) / 2, abs=1e-3), "nothing approved: as far as can be"


def test_neither_held_out_briefs_nor_an_adapter_of_before_say_where_the_live_student_is_weak(
    context: Context, tidewater: BrandFolder, training: list[Brief]
) -> None:
    held_out = (b for b in tidewater.briefs if snapshot.split_of(b, is_unseen=tidewater.is_unseen(b)) == "test")
    asked = next(b for b in held_out if b.channel == "tagline")
    judged(context, asked, None, author="student", blocks=1, adapter="tidewater@now")
    judged(context, training[1], None, author="student", blocks=1, adapter="tidewater@before")
    judged(context, training[2], None, author="student", adapter="tidewater@now")
    escalate(context, training[0], "uncertain")
    (found,) = next_briefs(context)
    assert (found.passed.hits, found.passed.of) == (1, 2), "nothing is live: every student counts"
    context.store.promote(Promotion(brand="tidewater", act="promote", adapter="tidewater@now", by="ann"))
    (found,) = next_briefs(context)
    assert (found.passed.hits, found.passed.of) == (1, 1)


def test_the_command_lists_them_for_people_and_for_scripts(context: Context, training: list[Brief]) -> None:
    escalate(context, training[0], "blocked")
    escalate(context, training[1], "blocked", "blocked")
    call = ["next", "--brand", "tidewater", "--workspace", str(context.workspace.root), "--limit", "1"]
    told = CliRunner().invoke(app, call)
    assert told.exit_code == 0
    assert told.stdout.count("\n") == 1
    assert training[1].id in told.stdout and "2 blocked" in told.stdout
    rows = json.loads(CliRunner().invoke(app, [*call, "--json"]).stdout)
    assert [row["brief"]["id"] for row in rows] == [training[1].id]
