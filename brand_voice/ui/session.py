"""What the app's handlers close over: brands, store, whoever can write, and the texts at hand.

Teachers are opened when first asked: for the recorded teacher that is a local server per brand. A text that was
written lives here, in memory, under a token, with what a person made of it; the store gets it when somebody sends it
to review.
"""

import itertools
import secrets
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import NamedTuple

from brand_voice import rules, serve
from brand_voice.adopt import draft_of_person
from brand_voice.brand import BrandFolder, brand_ids
from brand_voice.chat import Chat
from brand_voice.context import Context, T, Track
from brand_voice.current_brand import CurrentBrand
from brand_voice.errors import InputError
from brand_voice.generate import Request, requests, stream
from brand_voice.guide import Brand
from brand_voice.loop import teacher_endpoint
from brand_voice.promotion import adapter_of
from brand_voice.prompts import student_messages, teacher_messages
from brand_voice.recorded import candidates_recorded
from brand_voice.records import MAX_COPY_CHARS, Author, Brief, Draft, Message, Sampling, Screening
from brand_voice.registry import adapters
from brand_voice.screen.screening import Screener
from brand_voice.screen.similar import nearest
from brand_voice.settings import RECORDED, Settings
from brand_voice.store.store import Store
from brand_voice.student import start_server
from brand_voice.suggest import Suggestion
from brand_voice.ui.access import Access
from brand_voice.ui.errand import Errands
from brand_voice.ui.student_seat import StudentSeat
from brand_voice.workspace import Workspace

MAX_AT_HAND = 1_000
"""Texts kept for editing and sending to review; the oldest go first."""
MAX_CANDIDATES = 100
TEACHER, STUDENT = "teacher", "student"
"""Contenders that need no adapter's name."""


class Writer(NamedTuple):
    """Who writes on one side, ready to be asked."""

    author: Author
    chat: Chat
    sampling: Sampling
    render: Callable[[Brand, Brief], tuple[Message, ...]]
    adapter: str | None = None


class Written(NamedTuple):
    """A finished text, with the brief it answers and its findings."""

    brief: Brief
    draft: Draft
    screening: Screening
    why: str = ""
    """Whose text it is and why, where a cascade decided."""


class Kept(NamedTuple):
    """A finished text at hand, and what a person made of it."""

    written: Written
    text: str
    screening: Screening
    """Of the text as it is now."""

    @property
    def is_edited(self) -> bool:
        """Whether somebody changed more than the space around it."""
        return self.text.strip() != self.written.draft.text.strip()


class Session:
    """A running app's state; safe for threads; a context manager that closes everything it opened."""

    def __init__(
        self,
        workspace: Workspace,
        settings: Settings,
        *,
        brand: str | None = None,
        student: serve.StudentServer | None = None,
    ) -> None:
        """Open the workspace.

        Args:
            workspace: where the store and the adapters are.
            settings: which teacher, which sampling, what the machine costs.
            brand: shown first; none takes the one with an adapter, else the first.
            student: a running server, closed with the session; none attaches to the workspace's own, or starts one in
                the background as soon as a brand has an adapter.

        Raises:
            BrandError: unknown brand, or a brand folder breaks the schema.
            StoreError: the database cannot be used.
        """
        self.workspace, self.settings = workspace, settings
        self._lock = threading.RLock()
        self._brands: dict[str, CurrentBrand] = {}
        self.brands = brand_ids(workspace.brands)
        distilled = [manifest.brand for manifest in adapters(workspace.adapters)]
        self.first_brand = brand or next((b for b in distilled if b in self.brands), self.brands[0])
        for each in {*self.brands, self.first_brand}:
            self.folder(each)
        self._opened = ExitStack()
        self._teachers: dict[str, Chat] = {}
        self._recorded: dict[str, tuple[BrandFolder, dict[str, int]]] = {}
        self._at_hand: OrderedDict[str, Kept] = OrderedDict()
        self.store = self._opened.enter_context(Store.open(workspace.database))
        self.access = Access(self.store)
        self.errands = Errands()
        self._opened.callback(self.errands.close)
        self.student = StudentSeat(student, lambda brand: self.store.standing(brand).live)
        self._opened.callback(self.student.close)
        self.seat_student(self.first_brand)

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close teachers, student and store."""
        self._opened.close()

    def at_close(self, act: Callable[[], None]) -> None:
        """Do something when the session closes, before its teachers and its store do."""
        self._opened.callback(act)

    def folder(self, brand: str) -> BrandFolder:
        """A brand by id, as it stands on the disk now.

        Raises:
            BrandError: no such brand, or its files break the schema and were never read before.
        """
        return self._brand(brand).folder

    def problems(self) -> tuple[str, ...]:
        """Why brands are not as their files say now."""
        return tuple(filter(None, (self._brand(brand).problem for brand in self.brands)))

    def screener(self, brand: str) -> Screener:
        """The rules of the brand's guide as it stands now, prepared once for every version."""
        return self._brand(brand).screener

    def screen(self, text: str, brief: Brief, draft_id: str = "") -> Screening:
        """Hold a text against the rules of its brief's brand."""
        return self.screener(brief.brand).screen(text, brief, draft_id=draft_id)

    def suggestions(self, brand: str) -> list[Suggestion]:
        """The rules that the brand's edits suggest, the most frequent edit first."""
        return rules.suggested(self.context(brand))

    def add_rule(self, suggestion: Suggestion) -> rules.Added:
        """Add a suggested rule to the brand's guide; all that is screened from then on is screened under it.

        Raises:
            InputError: the guide has the rule already.
            BrandError: the guide cannot be written, or not be edited in place.
        """
        return rules.add(self.context(suggestion.brand), suggestion)

    def seat_student(self, brand: str) -> None:
        """Attach to the workspace's server, or start one for the brand's adapter, if nobody sits there; keep it up."""
        with self._lock:
            self.student.follow(self.workspace.server_file)
            if not self.student.is_empty:
                self.student.keep_up(brand, lambda: self._start_student(brand))
                return
            running = serve.attach(self.workspace.server_file)
            if running is not None:
                self.student.take(running)
            elif adapters(self.workspace.adapters, brand):
                self.student.start(lambda: self._start_student(brand))

    def writer(self, contender: str, brand: str) -> Writer:
        """Who writes for a brand: `teacher`, `student` (the live adapter, else the newest), or an adapter by name.

        Raises:
            BrandVoiceError: nobody does at present; the message says why.
        """
        settings = self.settings
        if contender == TEACHER:
            return Writer("teacher", self._teacher(brand), settings.teacher_sampling, teacher_messages)
        self.seat_student(brand)
        chat = self.student.chat(brand, None if contender == STUDENT else contender)
        return Writer("student", chat, settings.student_sampling, student_messages, adapter=chat.endpoint.model)

    def contenders(self, brand: str) -> tuple[str, ...]:
        """Who can be asked for a brand now: the adapters that are served, the live one first, and the teacher."""
        return (*reversed(self.student.adapters(brand)), TEACHER)

    def answered(self, contender: str, brief: Brief) -> Draft:
        """A contender's stored text for a brief; where there is none it is written, and stored with its findings.

        Raises:
            BrandVoiceError: nobody to ask, no text came, or the database cannot be used.
        """
        writer = self.writer(contender, brief.brand)
        request = next(self._requests(writer, brief))
        stored = self._finished(request.draft_id)
        if stored is not None:
            return stored
        *_, written = self.stream(writer, request)
        assert isinstance(written, Written), "the last piece of a stream is the whole"
        self._save(written)
        return written.draft

    def fresh_requests(self, writer: Writer, brief: Brief, number: int) -> Iterator[Request]:
        """Up to `number` requests for a brief that have no text in the store; all recorded ones of a recorded teacher.

        There is always one: the last where everything was asked, so that the writer itself says what is wrong.
        """
        asked = self._requests(writer, brief)
        if writer.chat.endpoint.is_recorded:
            return itertools.islice(asked, number)
        fresh = (
            each for each in asked if each.candidate == MAX_CANDIDATES - 1 or self._finished(each.draft_id) is None
        )
        return itertools.islice(fresh, number)

    def stream(self, writer: Writer, request: Request) -> Iterator[str | Written]:
        """Yield a text as it is written, then the whole with its findings; of a student also how certain it was.

        Raises:
            BrandVoiceError: no text came.
        """
        brief = request.brief
        request = request.model_copy(update={"wants_logprobs": writer.author == "student"})
        for piece in stream(request, writer.chat, writer.sampling, journal=self.store, adapter=writer.adapter):
            if isinstance(piece, str):
                yield piece
            else:
                yield Written(brief, piece, self.screen(piece.text, brief, piece.id))

    def context(self, brand: str, track: Track | None = None) -> Context:
        """What a stage needs to work for a brand; progress goes to `track`, if anywhere."""
        return Context(self.workspace, self.settings, self.folder(brand), self.store, track or _untracked, _notify)

    def keep(self, written: Written) -> str:
        """Keep a text at hand; return the token it is found by."""
        token = secrets.token_urlsafe(12)
        with self._lock:
            self._at_hand[token] = Kept(written, written.draft.text, written.screening)
            while len(self._at_hand) > MAX_AT_HAND:
                self._at_hand.popitem(last=False)
        return token

    def kept(self, token: str) -> Kept:
        """A text at hand.

        Raises:
            InputError: it is no longer there.
        """
        kept = self._at_hand.get(token)
        if kept is None:
            raise InputError("This text is no longer at hand", remedy="press Write again")
        return kept

    def edit(self, token: str, text: str) -> Kept:
        """Take a person's version of a text at hand, and hold it against the rules.

        Raises:
            InputError: it is no longer there.
        """
        written = self.kept(token).written
        kept = Kept(written, text, written.screening)
        if kept.is_edited:
            kept = kept._replace(screening=self.screen(text, written.brief))
        with self._lock:
            self._at_hand[token] = kept
        return kept

    def send_to_review(self, token: str) -> str:
        """Store a text at hand, so that it stands in the review queue; return what became of it.

        A version that a person made of it is that person's draft; the text it was made of is not sent.

        Raises:
            InputError: the text is no longer at hand, is empty or endless, or another one took its place.
            StoreError: the database cannot be used.
        """
        kept = self.kept(token)
        if not kept.text.strip():
            raise InputError("There is no text to send", remedy="write one, or press Write again")
        if len(kept.text) > MAX_COPY_CHARS:
            raise InputError(f"The text has over {MAX_COPY_CHARS:,} characters", remedy="shorten it")
        written = self._version(kept) if kept.is_edited else kept.written
        draft = written.draft
        stored = self._finished(draft.id)
        if stored is None:
            self._save(written)
            return "In the review queue."
        if stored.text != draft.text:
            raise InputError("Another text was sent for this brief meanwhile", remedy="press Write again, then send it")
        verdicts = self.store.reviews(draft.id)
        return f"In review already: {verdicts[-1].verdict}." if verdicts else "In the review queue already."

    def _version(self, kept: Kept) -> Written:
        """A person's version of a text, as a draft of its own; the terms of whoever wrote the original hold for it."""
        brief, original, *_ = kept.written
        permitted = original.distillation_permitted
        draft = draft_of_person(brief, kept.text).model_copy(update={"distillation_permitted": permitted})
        return Written(brief, draft, kept.screening.model_copy(update={"draft_id": draft.id}))

    def known(self, brief: Brief) -> Brief:
        """The brand's own brief of the same content, or this one under an id made of its content."""
        same = (b for b in self.folder(brief.brand).briefs if b.hash == brief.hash)
        return next(same, brief.model_copy(update={"id": f"write-{brief.hash}"}))

    def recorded_briefs(self, brand: str) -> Sequence[Brief]:
        """The briefs that the recorded teacher can answer."""
        recorded = self._recordings(brand)
        return [b for b in self.folder(brand).briefs if b.hash in recorded]

    def nearest_recorded(self, brief: Brief) -> Brief | None:
        """The recorded brief most like this one, of the same channel where that has any."""
        recorded = self.recorded_briefs(brief.brand)
        briefs = [b for b in recorded if b.channel == brief.channel] or recorded
        found = nearest(brief.said().lower(), [b.said().lower() for b in briefs])
        return briefs[found[0]] if found else None

    def _save(self, written: Written) -> None:
        self.store.save_brand_briefs([written.brief])
        self.store.save_draft(written.draft)
        self.store.save_screening(written.screening)

    def _teacher(self, brand: str) -> Chat:
        name = self.settings.teacher
        key = f"{RECORDED}/{brand}" if name == RECORDED else name
        with self._lock:
            if key not in self._teachers:
                endpoint = self._opened.enter_context(teacher_endpoint(self.context(brand), name))
                self._teachers[key] = self._opened.enter_context(Chat(endpoint))
            return self._teachers[key]

    def _start_student(self, brand: str) -> serve.StudentServer:
        context = self.context(brand)
        server = start_server(context, adapter_of(context))
        serve.publish(server, self.workspace.server_file)
        return server

    def _requests(self, writer: Writer, brief: Brief) -> Iterator[Request]:
        """The requests that can be made for a brief, in order; of a recorded teacher those that were recorded."""
        folder = self.folder(brief.brand)
        number = MAX_CANDIDATES
        if writer.chat.endpoint.is_recorded:  # at least one: the teacher says itself that it knows no such brief
            number = self._recordings(brief.brand).get(brief.hash, 1)
        return requests(
            [brief],
            lambda b: writer.render(folder.guide, b),
            author=writer.author,
            model=writer.chat.endpoint.model,
            sampling=writer.sampling,
            candidates=number,
        )

    def _recordings(self, brand: str) -> dict[str, int]:
        """How many texts are recorded for each brief of a brand, by the hash of its content; counted once."""
        folder = self.folder(brand)
        with self._lock:
            of, counts = self._recorded.get(brand, (None, {}))
            if of is not folder:
                counts = candidates_recorded(folder.briefs, folder.recordings)
                self._recorded[brand] = folder, counts
            return counts

    def _brand(self, brand: str) -> CurrentBrand:
        with self._lock:
            if brand not in self._brands:
                self._brands[brand] = CurrentBrand(brand, self.workspace.brands, _notify)
            return self._brands[brand]

    def _finished(self, draft_id: str) -> Draft | None:
        """A draft of the store that has a text."""
        stored = self.store.draft(draft_id)
        return stored if stored is not None and stored.is_ok else None


def _untracked(items: Iterable[T], _label: str, _total: int, /) -> Iterable[T]:
    return items


def _notify(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
