"""Which of people's votes are evidence on a writer: those on held-out briefs, one for each brief.

A student knows its training briefs by heart, and the app asks for votes on them too once the others are judged: such a
vote says how well it remembers. Votes on the same brief hang together, whoever cast them, so that what most of them say
counts once (`vote.by_brief`). They are counted anew each time: a vote that came after a report is heard all the same.
"""

from typing import NamedTuple

from brand_voice.brand import BrandFolder
from brand_voice.evidence import VoteFigures
from brand_voice.golden import HELD_OUT
from brand_voice.records import Ballot
from brand_voice.snapshot import split_of
from brand_voice.store.store import Store
from brand_voice.vote import by_brief, vote_figures


class Sides(NamedTuple):
    """The two sides of a report, by the names under which people vote on them: an adapter's, or a model's."""

    candidate: str
    reference: str

    @property
    def names(self) -> set[str]:
        """Both."""
        return {self.candidate, self.reference}


def held_out(store: Store, brand: BrandFolder, sides: Sides) -> list[Ballot]:
    """All votes on the two sides' texts for briefs that training never saw."""
    ballots = [b for b in store.ballots(brand.guide.id) if {b.left, b.right} == sides.names]
    briefs = store.briefs_by_hash(brand.guide.id) if ballots else {}
    unseen = {key for key, brief in briefs.items() if split_of(brief, is_unseen=brand.is_unseen(brief)) in HELD_OUT}
    return [ballot for ballot in ballots if ballot.brief_hash in unseen]


def votes_on(store: Store, brand: BrandFolder, sides: Sides, margin: float) -> VoteFigures | None:
    """What people say today, one vote a held-out brief; none where nobody voted on one."""
    ballots = by_brief(held_out(store, brand, sides))
    return vote_figures(ballots, *sides, margin) if ballots else None
