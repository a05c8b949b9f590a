"""Pairs for the blind comparison: two contenders' texts for one brief, in an order that only the booth knows.

A pair stays here under a token until somebody votes on it; until then the page gets the two texts and the token, and
nothing that tells who wrote what. While one pair is read, the next is written. Briefs that training never saw come
first: a student knows the others by heart.
"""

import random
import secrets
import threading
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from brand_voice.errors import InputError
from brand_voice.records import Ballot, Brief, Choice, Draft, Vote
from brand_voice.snapshot import split_of
from brand_voice.ui.session import TEACHER, Session
from brand_voice.vote import Result, first_is_left, tally

MAX_OPEN = 200
"""Pairs kept that nobody has voted on; the oldest go first."""
TRIES = 5
"""Briefs tried for two texts that differ."""


class Match(NamedTuple):
    """Who stands against whom, and who judges."""

    brand: str
    first: str
    """Name of a contender: an adapter, or `teacher`."""
    second: str
    voter: str


class Texts(NamedTuple):
    """Two contenders' texts for a brief."""

    brief: Brief
    first: Draft
    second: Draft


class Pair(NamedTuple):
    """Two texts as they stand on the page."""

    match: Match
    brief: Brief
    left: Draft
    right: Draft


class Booth:
    """Prepares pairs and takes votes; safe for threads."""

    def __init__(self, session: Session, rng: random.Random | None = None) -> None:
        self._session = session
        self._rng = rng or random.Random()
        self._open: OrderedDict[str, Pair] = OrderedDict()
        self._ahead: dict[Match, Future[Texts]] = {}
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="booth")
        session.at_close(self.close)

    def next(self, match: Match) -> str:
        """Put two texts side by side; return the token they are found by. The pair after this one is begun.

        Raises:
            InputError: the contenders are one, the voter has no name, or every brief has been voted on.
            BrandVoiceError: a contender cannot be asked or wrote nothing.
        """
        _check(match)
        with self._lock:
            ahead = self._ahead.pop(match, None)
        texts = ahead.result() if ahead is not None and ahead.exception() is None else self._texts(match)
        pair = self._seated(match, texts)
        token = secrets.token_urlsafe(12)
        with self._lock:
            self._open[token] = pair
            while len(self._open) > MAX_OPEN:
                self._open.popitem(last=False)
            self._ahead[match] = self._pool.submit(self._texts, match)
        return token

    def pair(self, token: str) -> Pair:
        """An open pair.

        Raises:
            InputError: there is none under this token, or it was voted on.
        """
        with self._lock:
            pair = self._open.get(token)
        if pair is None:
            raise InputError("This pair is no longer open", remedy="press Next pair")
        return pair

    def vote(self, token: str, choice: Choice, reason: str, *, voter: str | None = None) -> Pair:
        """Store the vote on an open pair and close it; return the pair for the reveal.

        Args:
            token: what `next` returned.
            choice: which text is better.
            reason: why; cut at 500 characters.
            voter: who votes, where a login tells; a pair that somebody else opened is not theirs.

        Raises:
            InputError: there is no such pair, it was voted on, or it is somebody else's.
            StoreError: the database cannot be used; the pair stays open.
        """
        with self._lock:
            pair = self._open.get(token)
            if pair is not None and voter in (None, pair.match.voter):
                del self._open[token]
            else:
                pair = None
        if pair is None:
            raise InputError("This pair has been voted on, or is no longer open", remedy="press Next pair")
        try:
            self._session.store.add_vote(_cast(pair, choice, reason))
        except BaseException:
            with self._lock:
                self._open[token] = pair
            raise
        return pair

    def result(self, match: Match) -> Result:
        """All voters' votes on the two contenders, training briefs' among them: a report leaves those out."""
        return tally(*self._names(match), self._session.store.ballots(match.brand))

    def close(self) -> None:
        """Begin nothing more, and wait for what is being written: it is stored whole or not at all."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _texts(self, match: Match) -> Texts:
        """Two differing texts for a brief that the voter has not judged and does not have before them."""
        briefs = self._briefs(match)
        if not briefs:
            raise InputError(
                f"{match.voter} has voted on every brief that both can answer",
                remedy="choose other contenders, or add briefs to the brand",
            )
        for brief in briefs[:TRIES]:
            texts = Texts(brief, *(self._session.answered(c, brief) for c in (match.first, match.second)))
            if texts.first.text.strip() != texts.second.text.strip():
                return texts
        raise InputError(f"both wrote the same for {TRIES} briefs", remedy="press Next pair to try other briefs")

    def _briefs(self, match: Match) -> list[Brief]:
        """The briefs left for a voter in random order, those that training never saw first."""
        session, folder = self._session, self._session.folder(match.brand)
        is_recorded = TEACHER in match[1:3] and session.writer(TEACHER, match.brand).chat.endpoint.is_recorded
        briefs = list(session.recorded_briefs(match.brand) if is_recorded else folder.briefs)
        judged = {ballot.vote.left for ballot in self._ballots(match)}
        with self._lock:
            judged |= {pair.left.id for pair in self._open.values() if pair.match == match}
        hashes = {draft.brief_hash for draft in map(session.store.draft, judged) if draft is not None}
        left = [brief for brief in briefs if brief.hash not in hashes]
        self._rng.shuffle(left)
        return sorted(left, key=lambda b: split_of(b, is_unseen=folder.is_unseen(b)) in ("train", "validation"))

    def _ballots(self, match: Match) -> list[Ballot]:
        names = set(self._names(match))
        ballots = self._session.store.ballots(match.brand)
        return [b for b in ballots if b.vote.voter == match.voter and {b.left, b.right} == names]

    def _seated(self, match: Match, texts: Texts) -> Pair:
        is_left = first_is_left(*self._names(match), self._ballots(match), self._rng)
        left, right = (texts.first, texts.second) if is_left else (texts.second, texts.first)
        return Pair(match, texts.brief, left, right)

    def _names(self, match: Match) -> tuple[str, str]:
        """The names under which the contenders' drafts are counted."""
        first, second = (
            self._session.writer(TEACHER, match.brand).chat.endpoint.model if contender == TEACHER else contender
            for contender in (match.first, match.second)
        )
        return first, second


def _check(match: Match) -> None:
    if match.first == match.second:
        raise InputError("Both sides are the same", remedy="choose two different contenders")
    if not match.voter.strip():
        raise InputError("Your name is missing: it stands on every vote", remedy="fill in Your name")


def _cast(pair: Pair, choice: Choice, reason: str) -> Vote:
    match, _, left, right = pair
    return Vote(brand=match.brand, left=left.id, right=right.id, choice=choice, reason=reason[:500], voter=match.voter)
