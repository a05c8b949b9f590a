"""The app's student where another process serves it, and changes what it serves."""

from pathlib import Path

from gateways import OK, Engines
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
