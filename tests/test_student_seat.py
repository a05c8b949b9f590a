"""The app's student where what is live changes, in its own server and in another process's."""

import threading
from pathlib import Path

from gateways import BRAND, OK, Engines
from servers import misbehaving_server

from brand_voice.serve import attach, publish
from brand_voice.ui.student_seat import StudentSeat

NEW = "tidewater@new"


def test_after_a_promotion_the_seat_moves_to_the_engine_that_is_published(tmp_path: Path) -> None:
    with misbehaving_server() as server, misbehaving_server() as another:
        first, second = (Engines(each, tmp_path) for each in (server, another))
        file, seat = tmp_path / "server.json", StudentSeat()
        former = first.ways().start([OK])
        publish(former, file)
        seat.take(attached := attach(file))
        before = seat.chat("tidewater")
        seat.follow(file)
        assert seat.chat("tidewater") is before
        first.ways().load(former, NEW)
        publish(former, file)
        seat.follow(file)
        assert seat.adapters("tidewater") == (NEW, OK)
        assert attached is not None and seat.chat("tidewater", OK) is before, "the same engine, the same connections"
        latest = second.ways().start([OK])
        publish(latest, file)
        former.published = None
        former.close()
        seat.follow(file)
        assert seat.chat("tidewater").endpoint.base_url == latest.base_url != before.endpoint.base_url
        latest.close()
        seat.follow(file)
        assert seat.adapters("tidewater") == (), "nothing is published, nothing is followed"
        seat.close()


def test_a_server_of_its_own_is_replaced_by_one_that_has_what_is_live(tmp_path: Path) -> None:
    with misbehaving_server() as server:
        engines, live = Engines(server, tmp_path), [OK]
        seat = StudentSeat(engines.ways().start([OK]), lambda _brand: live[0])
        seat.keep_up(BRAND, lambda: engines.ways().start([NEW]))
        assert not seat.is_changing, "what is live is served"
        live[0] = NEW
        engines.may_start.clear()
        for _ in range(3):
            seat.keep_up(BRAND, lambda: engines.ways().start([NEW]))
        assert seat.is_changing and not seat.is_starting
        assert seat.chat(BRAND).endpoint.model == OK, "the former one answers until then"
        assert seat.succession(BRAND).startswith(f"{NEW} is live and is being started")
        engines.may_start.set()
        finished("successor")
        assert engines.started == [(OK,), (NEW,)], "one is started, not three"
        assert (seat.chat(BRAND).endpoint.model, seat.succession(BRAND)) == (NEW, "")
        assert engines.servers[0].is_alive, "it may be answering still"
        seat.close()
        assert not any(each.is_alive for each in engines.servers)


def test_what_cannot_be_started_is_told_and_not_tried_again(tmp_path: Path) -> None:
    with misbehaving_server() as server:
        engines = Engines(server, tmp_path)
        engines.broken.add(NEW)
        seat = StudentSeat(engines.ways().start([OK]), lambda _brand: NEW)
        for _ in range(2):
            seat.keep_up(BRAND, lambda: engines.ways().start([NEW]))
            finished("successor")
        assert engines.started == [(OK,), (NEW,)]
        assert seat.succession(BRAND) == f"{NEW} is live, but did not start: {NEW} is damaged"
        assert seat.chat(BRAND).endpoint.model == OK and not seat.is_changing
        seat.close()


def finished(name: str) -> None:
    """Wait for the seat's threads of this name."""
    for thread in (each for each in threading.enumerate() if each.name == name):
        thread.join(30)
