"""Blind votes between two writers: which side each stands on, and what the votes say so far.

A *contender* is an adapter's name or a teacher's model. Ties and `both_bad` are counted and reported, the win rate is
of the decisive votes alone. The decision aimed at is non-inferiority: the first contender wins at most a margin less
often than half, `MARGIN` unless another is given. People look after every vote, which makes a false decision likelier
each time: a decision therefore takes a wider interval, and a minimum of votes. This module asks nobody and stores
nothing.
"""

import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal

from brand_voice.evidence import VoteFigures
from brand_voice.rates import Rate
from brand_voice.records import Ballot, Record

MARGIN = 0.10
"""How far below one half the win rate of a contender that is no worse may lie."""
DECISION_Z = 2.575829
"""Normal quantile of a 99% interval. Looked at after every vote from the 50th to the 400th, at a true share on the
line, it says `no worse` in 4.5% of 20,000 simulated runs and `worse` in 3.8%; a 95% interval from the first vote on
does so in 25% and 20%."""
POWER_FACTOR = (DECISION_Z + 0.841621) ** 2
"""Squared sum of the normal quantiles of that interval and of 80% power; gives 292 votes at a true half."""
DESCRIPTIVE_BELOW = 50
"""Fewer decisive votes describe and decide nothing."""


class Slice(Record):
    """One channel's votes."""

    channel: str
    wins: Rate
    """Of the first contender, among the decisive votes."""
    undecided: int
    """Ties and `both_bad`."""

    @property
    def is_descriptive(self) -> bool:
        """Whether there are too few votes to conclude anything."""
        return self.wins.of < DESCRIPTIVE_BELOW


class Result(Record):
    """What the votes on two contenders say."""

    first: str
    second: str
    wins: Rate
    """Of the first contender, among the decisive votes."""
    ties: int
    both_bad: int
    left: Rate
    """Decisive votes for the text on the left: far from half, the place decided."""
    longer: Rate
    """Decisive votes for the longer text, of those where one is longer."""
    channels: tuple[Slice, ...]
    margin: float = MARGIN

    @property
    def votes(self) -> int:
        """All votes."""
        return self.wins.of + self.ties + self.both_bad

    @property
    def verdict(self) -> Literal["no worse", "worse"] | None:
        """`no worse`, `worse`, or none while there are few votes or the 99% interval still spans the margin."""
        if self.wins.of < DESCRIPTIVE_BELOW:
            return None
        low, high = self.wins.interval_at(DECISION_Z)
        line = 0.5 - self.margin
        return "no worse" if low > line else "worse" if high < line else None

    @property
    def votes_to_go(self) -> int:
        """Decisive votes that a decision still needs (80% power); 0 if it is made.

        Planned for the share seen so far, for one half as long as few have voted. Source: sample size for one
        proportion against a fixed line, normal approximation.
        """
        if self.verdict is not None:
            return 0
        share = self.wins.share if self.wins.of >= DESCRIPTIVE_BELOW else 0.5
        distance = abs(share - (0.5 - self.margin)) or 0.01
        needed = math.ceil(POWER_FACTOR * share * (1 - share) / distance**2)
        return max(1, needed - self.wins.of)


def first_is_left(first: str, second: str, ballots: Iterable[Ballot], rng: random.Random) -> bool:
    """Which side the first contender takes for its next pair, from one voter's earlier ballots.

    Whoever stood on the left less often stands there now; evenly balanced, the coin decides, so that nobody can count
    along for more than every second pair.
    """
    counts = Counter(ballot.left for ballot in ballots if {ballot.left, ballot.right} == {first, second})
    return counts[first] < counts[second] if counts[first] != counts[second] else rng.random() < 0.5


def tally(first: str, second: str, ballots: Iterable[Ballot], *, margin: float = MARGIN) -> Result:
    """Count the votes on two contenders; ballots of others are left out."""
    ours = [ballot for ballot in ballots if {ballot.left, ballot.right} == {first, second}]
    decisive = [ballot for ballot in ours if ballot.vote.choice in ("left", "right")]
    uneven = [ballot for ballot in decisive if ballot.left_chars != ballot.right_chars]
    said = Counter(ballot.vote.choice for ballot in ours)
    return Result(
        first=first,
        second=second,
        wins=_wins(first, decisive),
        ties=said["tie"],
        both_bad=said["both_bad"],
        left=Rate(hits=said["left"], of=len(decisive)),
        longer=Rate(hits=sum(_is_longer_chosen(ballot) for ballot in uneven), of=len(uneven)),
        channels=tuple(_slice(first, channel, ours) for channel in sorted({ballot.channel for ballot in ours})),
        margin=margin,
    )


def by_brief(ballots: Iterable[Ballot]) -> list[Ballot]:
    """One ballot for each brief: what most of its votes say; a draw is a tie.

    Votes on one brief are no independent ones, and an interval over them would be too narrow.
    """
    cast: dict[str, list[Ballot]] = defaultdict(list)
    for ballot in ballots:
        cast[ballot.brief_hash].append(ballot)
    return [_agreed(each) for each in cast.values()]


def _agreed(ballots: Sequence[Ballot]) -> Ballot:
    (top, votes), *rest = Counter(map(_chosen, ballots)).most_common(2)
    if rest and rest[0][1] == votes:
        return ballots[0]._replace(vote=ballots[0].vote.model_copy(update={"choice": "tie"}))
    return next(ballot for ballot in ballots if _chosen(ballot) == top)


def _chosen(ballot: Ballot) -> str:
    """The better contender's name, `tie` or `both_bad`."""
    return {"left": ballot.left, "right": ballot.right}.get(ballot.vote.choice, ballot.vote.choice)


def vote_figures(ballots: Iterable[Ballot], candidate: str, reference: str, margin: float) -> VoteFigures:
    """What the votes say of a candidate, for a report: decided at the report's own margin, by the wider interval."""
    result = tally(candidate, reference, ballots, margin=margin)
    low, high = result.wins.interval_at(DECISION_Z)
    return VoteFigures(
        wins=result.wins,
        low=low,
        high=high,
        ties=result.ties,
        both_bad=result.both_bad,
        margin=margin,
        verdict=result.verdict,
        needed=result.votes_to_go,
    )


def _slice(first: str, channel: str, ballots: Sequence[Ballot]) -> Slice:
    here = [ballot for ballot in ballots if ballot.channel == channel]
    decisive = [ballot for ballot in here if ballot.vote.choice in ("left", "right")]
    return Slice(channel=channel, wins=_wins(first, decisive), undecided=len(here) - len(decisive))


def _wins(first: str, decisive: Sequence[Ballot]) -> Rate:
    won = sum((ballot.left if ballot.vote.choice == "left" else ballot.right) == first for ballot in decisive)
    return Rate(hits=won, of=len(decisive))


def _is_longer_chosen(ballot: Ballot) -> bool:
    return (ballot.vote.choice == "left") == (ballot.left_chars > ballot.right_chars)
