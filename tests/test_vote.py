"""Blind votes: sides in balance, and what a count of votes may and may not say."""

import random

import pytest

from brand_voice import vote
from brand_voice.rates import Rate
from brand_voice.records import Ballot, Choice, Vote

STUDENT, TEACHER = "tidewater@x", "recorded"


def a_ballot(
    choice: Choice,
    *,
    left: str = STUDENT,
    right: str = TEACHER,
    channel: str = "sms",
    chars: tuple[int, int] = (9, 9),
    brief: str = "b",
) -> Ballot:
    cast = Vote(brand="tidewater", left="d-1", right="d-2", choice=choice, voter="ann")
    return Ballot(cast, channel, left, right, *chars, brief)


def test_a_win_counts_for_whoever_stood_on_that_side() -> None:
    ballots = [a_ballot("left"), a_ballot("left", left=TEACHER, right=STUDENT), a_ballot("right"), a_ballot("tie")]
    result = vote.tally(STUDENT, TEACHER, [*ballots, a_ballot("both_bad"), a_ballot("left", right="somebody else")])
    assert (result.wins, result.ties, result.both_bad, result.votes) == (Rate(hits=1, of=3), 1, 1, 5)
    assert vote.tally(TEACHER, STUDENT, ballots).wins == Rate(hits=2, of=3)


def test_a_brief_has_one_vote_however_many_people_cast_one() -> None:
    turned = {"left": TEACHER, "right": STUDENT}
    most = [a_ballot("left"), a_ballot("right", **turned), a_ballot("right"), a_ballot("tie")]
    drawn = [a_ballot("left", brief="c"), a_ballot("left", brief="c", **turned)]
    bad = [a_ballot("both_bad", brief="d")]
    told = vote.vote_figures(vote.by_brief([*most, *drawn, *bad]), STUDENT, TEACHER, 0.1)
    assert (told.wins, told.ties, told.both_bad) == (Rate(hits=1, of=1), 1, 1)


def test_bias_to_a_side_and_to_length_shows() -> None:
    ballots = [a_ballot("left", chars=(30, 20)), a_ballot("left", chars=(20, 30)), a_ballot("right", chars=(9, 9))]
    result = vote.tally(STUDENT, TEACHER, ballots)
    assert (result.left, result.longer) == (Rate(hits=2, of=3), Rate(hits=1, of=2))


def test_channels_are_counted_apart_and_small_ones_only_describe() -> None:
    ballots = [a_ballot("left", channel="sms")] * 50 + [a_ballot("right", channel="tagline"), a_ballot("tie")]
    sms, tagline = vote.tally(STUDENT, TEACHER, ballots).channels
    assert (sms.channel, sms.wins, sms.undecided, sms.is_descriptive) == ("sms", Rate(hits=50, of=50), 1, False)
    assert (tagline.wins, tagline.is_descriptive) == (Rate(hits=0, of=1), True)


@pytest.mark.parametrize(
    ("won", "lost", "verdict"),
    [(100, 100, "no worse"), (60, 140, "worse"), (49, 0, None), (0, 49, None), (40, 60, None), (0, 0, None)],
)
def test_a_verdict_falls_only_where_the_interval_clears_the_margin(won: int, lost: int, verdict: str | None) -> None:
    result = vote.tally(STUDENT, TEACHER, [a_ballot("left")] * won + [a_ballot("right")] * lost)
    assert result.verdict == verdict
    assert (result.votes_to_go == 0) == (verdict is not None)


def test_looking_after_every_vote_seldom_ends_in_a_false_decision() -> None:
    rng, runs, false = random.Random(4), 400, 0
    for _ in range(runs):
        result, won = vote.tally(STUDENT, TEACHER, []), 0
        for cast in range(1, 401):
            won += rng.random() < 0.5 - vote.MARGIN  # on the line: "no worse" is wrong
            result = result.model_copy(update={"wins": Rate(hits=won, of=cast)})
            if result.verdict is not None:
                false += result.verdict == "no worse"
                break
    assert 0 < false < 0.08 * runs


def test_the_votes_to_go_are_the_textbook_s_for_one_half_until_there_are_enough_to_know_better() -> None:
    assert vote.tally(STUDENT, TEACHER, []).votes_to_go == 292  # 11.679 * 0.25 / 0.1**2 = 291.97
    few = [a_ballot("left")] * 2 + [a_ballot("right")] * 4
    assert vote.tally(STUDENT, TEACHER, few).votes_to_go == 286
    close = [a_ballot("left")] * 45 + [a_ballot("right")] * 55
    assert vote.tally(STUDENT, TEACHER, close).votes_to_go == 1_057  # 11.679 * 0.45 * 0.55 / 0.05**2 = 1,156.2


def test_sides_stay_in_balance_and_cannot_be_foretold() -> None:
    rng, ballots, firsts = random.Random(1), [], []
    for _ in range(40):
        is_left = vote.first_is_left(STUDENT, TEACHER, ballots, rng)
        left, right = (STUDENT, TEACHER) if is_left else (TEACHER, STUDENT)
        ballots.append(a_ballot("tie", left=left, right=right))
        firsts.append(is_left)
    assert sum(firsts) == 20
    assert {True, False} <= set(firsts[::2]), "each pair of turns begins with a coin"
