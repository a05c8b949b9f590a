"""Texts asked for to be measured: kept beside the reports, found again, never reviewed.

Several texts for every golden brief from every writer would bury the review queue, and those of a base without an
adapter are nobody's copy. They stand in `samples/<writer>.jsonl`, a line each, as they came. Of an adapter the first
text for a brief also goes into the store, so that people can vote on it and review it; if it was there already, that
is the one that counts.

Of what is missing a few texts are asked for one by one, before all others at once: that is how long a person waits.

A text that was cut off, empty or refused is a result and not asked for again: who is asked until it succeeds looks
better than it is. A failure of the server says nothing about the writer: nothing is concluded until it has answered.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from brand_voice import generate
from brand_voice.chat import Chat
from brand_voice.context import Context, saved
from brand_voice.errors import ChatError
from brand_voice.records import Brief, Draft, Message, Record
from brand_voice.write import OF_THE_ROW

ALONE = 20
"""Texts asked for one by one; no more than a quarter of what is missing."""


class Timed(Record):
    """A text, and its share of the wall time of asking many at once."""

    draft: Draft
    seconds: float | None
    """None where it was written alone, or on another occasion."""
    is_alone: bool = False
    """Whether nothing else was asked for meanwhile."""

    @property
    def is_final(self) -> bool:
        """Whether it need not be asked for again."""
        return self.draft.failure is None or self.draft.failure in OF_THE_ROW


class Writer(NamedTuple):
    """A model to be asked."""

    name: str
    """Its file's name: the same for the same weights and prompt."""
    model: str
    """What a server calls it."""
    adapter: str | None
    render: Callable[[Brief], tuple[Message, ...]]


class Samples:
    """One writer's texts on disk, by draft id."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.texts: dict[str, Timed] = {}
        lines = path.read_text(encoding="utf-8").split("\n") if path.is_file() else []
        self._is_torn = bool(lines and lines[-1])
        for line in filter(None, lines):
            try:
                timed = Timed.model_validate_json(line)
            except ValidationError:
                continue  # a kill cut it off: it is asked for again
            self.texts[timed.draft.id] = timed

    def add(self, found: Iterable[Timed]) -> None:
        """Keep texts; a line is whole or, after a kill, not read."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as stream:
            for timed in found:
                stream.write("\n" * self._is_torn + timed.model_dump_json() + "\n")
                self._is_torn = False
                self.texts[timed.draft.id] = timed


class Asking:
    """What a writer is asked for golden briefs: what is there, what is missing, and the asking."""

    def __init__(self, context: Context, writer: Writer, briefs: Sequence[Brief], samples: int) -> None:
        self.writer = writer
        self._context = context
        self._sampling = context.settings.student_sampling
        wanted = generate.requests(
            briefs,
            writer.render,
            author="student",
            model=writer.model,
            sampling=self._sampling,
            candidates=samples,
        )
        self._wanted = {request.draft_id: request for request in wanted}
        self._samples = Samples(context.workspace.samples / f"{writer.name}.jsonl")
        if writer.adapter is not None:
            self._samples.add(self._known())

    @property
    def missing(self) -> list[generate.Request]:
        """What must be asked for."""
        known = self._samples.texts
        left = (r for key, r in self._wanted.items() if key not in known or not known[key].is_final)
        return [request.model_copy(update={"wants_logprobs": True}) for request in left]

    @property
    def texts(self) -> list[Timed]:
        """What is there, in the order it was wanted."""
        return [self._samples.texts[key] for key in self._wanted if key in self._samples.texts]

    def ask(self, chat: Chat) -> None:
        """Ask for what is missing; every text is kept as it comes.

        Raises:
            ChatError: the server did not answer everything, which says nothing about the writer; what came is kept.
        """
        missing, store = self.missing, self._context.store
        known = store.briefs_by_hash(self._context.brand_id)  # of a brief that is stored a newer content may be current
        store.save_brand_briefs({r.brief.hash: r.brief for r in missing if r.brief.hash not in known}.values())
        texts = self._context.track(self._written(missing, chat), self.writer.model, len(missing))
        failures = Counter(t.draft.failure for t in saved(texts, self._keep) if not t.is_final)
        for kind, number in failures.most_common(1):
            raise ChatError(
                f"{self.writer.model}: {failures.total()} of {len(missing)} texts did not come ({number} {kind})",
                remedy="look at the server, then run it again: only these are asked for",
                kind=kind or "unreachable",
            )

    def _known(self) -> list[Timed]:
        """First texts that somebody asked for before, elsewhere."""
        firsts = [r.draft_id for r in self._wanted.values() if r.candidate == 0]
        found = (self._context.store.draft(key) for key in firsts if key not in self._samples.texts)
        return [Timed(draft=draft, seconds=None) for draft in found if draft is not None and draft.is_ok]

    def _keep(self, found: Iterable[Timed]) -> None:
        kept = list(found)
        if self.writer.adapter is not None:
            self._context.store.save_drafts(timed.draft for timed in kept if timed.draft.candidate == 0)
        self._samples.add(kept)

    def _written(self, missing: Sequence[generate.Request], chat: Chat) -> Iterator[Timed]:
        """Some texts one by one, from all over the briefs; then all others at once."""
        left = {request.draft_id: request for request in missing}
        number = max(0, min(ALONE - sum(timed.is_alone for timed in self.texts), len(missing) // 4))
        for request in missing[:: len(missing) // number][:number] if number else ():
            del left[request.draft_id]
            yield from (Timed(draft=draft, seconds=None, is_alone=True) for draft in self._drafts([request], chat))
        yield from _timed(self._drafts(list(left.values()), chat))

    def _drafts(self, missing: Sequence[generate.Request], chat: Chat) -> Iterator[Draft]:
        """A draft for each request: a writer whose texts fail, however many do, is measured all the same."""
        left = {request.draft_id: request for request in missing}
        while left:
            try:
                for draft in generate.generate(list(left.values()), chat, self._sampling, adapter=self.writer.adapter):
                    del left[draft.id]
                    yield draft
            except ChatError as error:
                if error.kind not in OF_THE_ROW:
                    raise


def _timed(drafts: Iterable[Draft]) -> Iterator[Timed]:
    """Drafts with the time since the one before, so that the times add up to the wall time."""
    before = time.monotonic()
    for draft in drafts:
        moment = time.monotonic()
        yield Timed(draft=draft, seconds=round(moment - before, 6))
        before = moment
