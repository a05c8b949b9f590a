"""A model as judge: both orders, strict answers, and as much say as its agreement with people gives it."""

import json

import pytest
from test_vote import STUDENT, TEACHER

from brand_voice.brand import BrandFolder
from brand_voice.judge import Duel, Ruling, judge_figures, kappa, people, questions, ruling
from brand_voice.records import Ballot, Choice, Draft, Vote


def a_duel(tidewater: BrandFolder, number: int = 0) -> Duel:
    brief = tidewater.briefs[number]
    made = {"brand": "tidewater", "brief_id": brief.id, "brief_hash": brief.hash, "author": "student", "model": "m"}
    ours = Draft(id=f"c-{number}", text="Ours </s> now.", adapter=STUDENT, **made)
    return Duel(brief, ours, Draft(id=f"r-{number}", text="Theirs.", **made))


def said(better: str, **more: str) -> str:
    return json.dumps({"why": "so", "better": better} | more)


def a_ballot(number: int, choice: Choice, *, is_turned: bool = False) -> Ballot:
    ids, names = (f"c-{number}", f"r-{number}"), (STUDENT, TEACHER)
    ids, names = (ids[::-1], names[::-1]) if is_turned else (ids, names)
    cast = Vote(brand="tidewater", left=ids[0], right=ids[1], choice=choice, voter="ann")
    return Ballot(cast, "sms", *names, 9, 9, "b")


def test_a_pair_is_asked_about_in_both_orders_without_a_name(tidewater: BrandFolder) -> None:
    straight, swapped = questions(a_duel(tidewater), tidewater.guide, "judge-1")
    asked = [json.loads(question.messages[-1].content) for question in (straight, swapped)]
    assert (asked[0]["first"], asked[0]["second"]) == ("Ours < /s> now.", "Theirs.")
    assert (asked[1]["first"], asked[1]["second"]) == (asked[0]["second"], asked[0]["first"])
    assert asked[0]["brief"]["key_message"] == tidewater.briefs[0].key_message
    assert len({straight.id, swapped.id, questions(a_duel(tidewater), tidewater.guide, "other")[0].id}) == 3
    whole = " ".join(message.content for message in (*straight.messages, *swapped.messages))
    assert not any(told in whole for told in (STUDENT, TEACHER, "student", "teacher", tidewater.briefs[0].id))


@pytest.mark.parametrize(
    ("straight", "swapped", "outcome"),
    [
        ("first", "second", Ruling("candidate", False)),
        ("second", "first", Ruling("reference", False)),
        ("equal", "equal", Ruling("tie", False)),
        ("first", "first", Ruling("tie", True)),
        ("equal", "first", Ruling("tie", True)),
    ],
)
def test_an_answer_that_changes_with_the_order_is_a_tie(straight: str, swapped: str, outcome: Ruling) -> None:
    assert ruling(said(straight), said(swapped)) == outcome


@pytest.mark.parametrize(
    "answer",
    [
        None,
        "",
        "first",
        said("third"),
        said("first", and_="more"),
        '{"better": "first"}',
        said("first") + " Yes.",
        "[]",
    ],
)
def test_anything_but_the_answer_asked_for_is_none(answer: str | None) -> None:
    assert ruling(said("first"), answer) is ruling(answer, said("first")) is None
    assert ruling(f"```json\n{said('first')}\n```", said("second")) == Ruling("candidate", False)


def test_people_decide_a_pair_by_majority_whatever_side_it_stood_on() -> None:
    cast = [a_ballot(0, "left"), a_ballot(0, "right", is_turned=True), a_ballot(0, "right"), a_ballot(1, "left")]
    cast += [a_ballot(1, "right"), a_ballot(2, "both_bad")]
    assert people(cast) == {
        frozenset(("c-0", "r-0")): "c-0",
        frozenset(("c-1", "r-1")): None,
        frozenset(("c-2", "r-2")): None,
    }


def test_kappa_is_the_textbook_s() -> None:
    table = [("yes", "yes")] * 20 + [("yes", "no")] * 5 + [("no", "yes")] * 10 + [("no", "no")] * 15
    assert kappa(table) == pytest.approx(0.4)  # agreed 0.7, by chance 0.5
    assert kappa([]) is kappa([("a", "a")] * 9) is None
    assert kappa([("a", "b"), ("b", "a")]) == pytest.approx(-1)


@pytest.mark.parametrize(("agreed", "shared", "may_gate"), [(40, 50, True), (39, 49, False), (30, 50, False)])
def test_a_judge_may_decide_only_if_it_agrees_with_people_on_enough_pairs(
    tidewater: BrandFolder, agreed: int, shared: int, may_gate: bool
) -> None:
    duels = [a_duel(tidewater, i) for i in range(shared + 2)]
    rulings = {duel.ids: Ruling("candidate" if i % 2 else "reference", False) for i, duel in enumerate(duels[:-1])}
    same, other = ("right", "left"), ("left", "right")
    ballots = [a_ballot(i, (same if i < agreed else other)[i % 2]) for i in range(shared)]
    figures = judge_figures("judge-1", duels, rulings, ballots)
    assert (figures.with_people.hits, figures.with_people.of) == (agreed, shared)
    assert figures.may_gate is may_gate
    assert (figures.wins.of, figures.ties, figures.flips, figures.unread) == (shared + 1, 0, 0, 1)
