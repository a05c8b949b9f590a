"""The engines behind the gateway, looked after step by step on a clock that stands."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from gateways import Clock, Engines
from servers import Misbehaving, misbehaving_server

from brand_voice.errors import ServeError
from brand_voice.gateway.fleet import LONGEST_BACKOFF_S, SOUND_AFTER_S, Fleet

ONE, TWO = "tidewater@one", "tidewater@two"


class Wanted:
    """What should be served, as a test says."""

    def __init__(self) -> None:
        self.names: tuple[str, ...] = (ONE,)

    def __call__(self) -> tuple[str, ...]:
        return self.names


@pytest.fixture(scope="module")
def upstream() -> Iterator[Misbehaving]:
    with misbehaving_server() as server:
        yield server


@pytest.fixture(params=[True, False], ids=["lora", "merged"])
def engines(request: pytest.FixtureRequest, upstream: Misbehaving, tmp_path: Path) -> Engines:
    return Engines(upstream, tmp_path, is_lora=request.param)


@pytest.fixture
def fleet(engines: Engines) -> Iterator[Fleet]:
    fleet = Fleet(Wanted(), engines.ways(), Clock())
    fleet._start((ONE,))
    yield fleet
    fleet.close()


def test_an_engine_that_dies_is_started_again_each_time_later(fleet: Fleet, engines: Engines) -> None:
    waits = []
    for number in range(8):
        engines.kill()
        fleet.look()
        waits.append(fleet.retry_after_s)
        assert fleet.engine(ONE) is None and len(engines.started) == number + 1
        fleet._clock.moment += waits[-1]
        fleet.look()
        assert fleet.engine(ONE) is not None and fleet.restarts == number + 1
    assert waits == [1, 2, 4, 8, 16, 32, LONGEST_BACKOFF_S, LONGEST_BACKOFF_S]
    fleet._clock.moment += SOUND_AFTER_S + 1
    engines.kill()
    fleet.look()
    assert fleet.retry_after_s == 1, "it had lived long enough"


def test_an_engine_that_does_not_start_again_is_tried_later(fleet: Fleet, engines: Engines) -> None:
    def fails(*_: object) -> None:
        raise ServeError("no memory", remedy="free some")

    fine = fleet._ways
    fleet._ways = fine._replace(start=fails)
    engines.kill()
    fleet.look()
    fleet._clock.moment += 1
    with pytest.raises(ServeError) as refused:
        fleet.look()
    fleet._postpone(refused.value)
    assert (fleet.retry_after_s, fleet.trouble) == (2, "no memory")
    assert engines.told[-1] == "error: no memory\n  try: free some"
    fleet._ways = fine
    fleet.look()
    assert fleet.engine(ONE) is None
    fleet._clock.moment += 2
    fleet.look()
    fleet.look()
    assert fleet.engine(ONE) is not None and not fleet.trouble


def test_a_new_adapter_is_loaded_or_gets_an_engine_and_the_old_one_drains(fleet: Fleet, engines: Engines) -> None:
    (first,) = fleet.engines
    fleet._wanted.names = (TWO,)
    with first.busy():
        fleet.look()
        assert fleet.engine(TWO) is not None
        assert first.server.is_alive
        if engines.started == [(ONE,)]:
            assert engines.loaded == [TWO] and fleet.engine(ONE) is first
        else:
            assert engines.started == [(ONE,), (TWO,)] and fleet.engine(ONE) is None and first.is_retired
    fleet.look()
    assert first.server.is_alive == (not first.is_retired)
    assert len(fleet.engines) == 1


def test_what_does_not_load_gets_a_second_engine_but_a_canary_does_not(engines: Engines, fleet: Fleet) -> None:
    def refuses(*_: object) -> None:
        raise ServeError("rank 64 is too high", remedy="none")

    if not engines.servers[0].address.lora_rank:
        pytest.skip("merged weights load nothing")
    fleet._ways = fleet._ways._replace(load=refuses)
    fleet._wanted.names = (ONE, TWO)
    with pytest.raises(ServeError):
        fleet.look()
    assert engines.started == [(ONE,)] and fleet.engine(ONE) is not None
    fleet._wanted.names = (TWO,)
    fleet.look()
    assert engines.started == [(ONE,), (TWO,)] and fleet.engine(TWO) is not None
