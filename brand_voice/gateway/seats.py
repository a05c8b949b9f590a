"""The open cascades of the gateway: one before each adapter that is asked for, one teacher behind all of them.

Brand and calibration are looked at with every brief (a few `stat`), and a cascade is made anew where one of them
changed. A cascade whose turn is over keeps its connections to the student until the last brief under way has its text;
the teacher's stay until the gateway ends. For threads.
"""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from brand_voice import calibration
from brand_voice.brand import BrandFolder
from brand_voice.cascade import Cascade
from brand_voice.chat import Chat
from brand_voice.context import Context
from brand_voice.current_brand import CurrentBrand
from brand_voice.gateway.fleet import Engine
from brand_voice.gateway.router import Target
from brand_voice.teacher import Teacher, opened_teacher


class _Key(NamedTuple):
    """What a cascade is made of."""

    engine: Engine
    adapter: str
    guide_version: str
    calibrated: int


class _Seat:
    """An open cascade, and how many use it."""

    def __init__(self, cascade: Cascade, chat: Chat) -> None:
        self.cascade = cascade
        self.chat = chat
        self.users = 0
        self.is_over = False
        """Whether nobody new is sent here."""

    def close_if_unused(self) -> None:
        """Drop the connections to the student once nobody needs them."""
        if self.is_over and not self.users:
            self.chat.close()


class Seats:
    """The cascades that are open."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._opened = ExitStack()
        self._teacher: Teacher | None = None
        self._turn = threading.Lock()
        self._seats: dict[_Key, _Seat] = {}
        self._latest: _Seat | None = None
        """Stays open when its engine has gone: it turns to the teacher."""
        self._brand = CurrentBrand(context.brand_id, context.workspace.brands, context.notify)

    def open(self) -> None:
        """Open the teacher.

        Raises:
            SettingsError: it is unknown, or has no key or no price.
        """
        self._teacher = self._opened.enter_context(opened_teacher(self._context))

    def close(self) -> None:
        """Drop all connections, whoever uses them."""
        with self._turn:
            for seat in {*self._seats.values(), *filter(None, [self._latest])}:
                seat.chat.close()
            self._seats.clear()
            self._opened.close()

    @property
    def brand(self) -> BrandFolder:
        """The brand as it stands now."""
        return self._brand.folder

    @property
    def has_spare(self) -> bool:
        """Whether somebody can write where no engine does."""
        return self._teacher is not None and self._latest is not None

    @contextmanager
    def at(self, target: Target | None) -> Iterator[Cascade]:
        """A target's cascade, the latest one where there is no target; it stays open for as long as the block runs."""
        with self._turn:
            seat = self._latest if target is None else self._of(target)
            assert seat is not None, "without a target only where there is a spare"
            seat.users += 1
        try:
            yield seat.cascade
        finally:
            with self._turn:
                seat.users -= 1
                seat.close_if_unused()

    def _of(self, target: Target) -> _Seat:
        context = self._context._replace(brand=self._brand.folder)
        made = calibration.stamp(context.workspace.calibrations, target.adapter)
        key = _Key(target.engine, target.adapter, context.brand.guide.version, made)
        if key not in self._seats:
            endpoint = target.engine.server.endpoint(target.adapter)
            limits = {"read_timeout_s": context.settings.gateway.deadline_s, "max_attempts": 1}
            chat = Chat(endpoint.model_copy(update=limits))
            self._latest = _Seat(Cascade(context, chat, screener=self._brand.screener, teacher=self._teacher), chat)
            self._seats[key] = self._latest
            self._end_former(key)
        return self._seats[key]

    def _end_former(self, latest: _Key) -> None:
        """Send nobody to what a changed guide or calibration, or an engine's end, left behind."""
        for key in list(self._seats):
            is_replaced = key != latest and key[:2] == latest[:2]
            if is_replaced or not key.engine.server.is_alive:
                seat = self._seats.pop(key)
                seat.is_over = True
                seat.close_if_unused()
