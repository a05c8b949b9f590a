"""The engines behind the gateway, looked after step by step on a clock that stands."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from gateways import Clock, Engines
from servers import Misbehaving, misbehaving_server

from brand_voice.address import ServerAddress
from brand_voice.errors import ServeError
from brand_voice.gateway.fleet import LONGEST_BACKOFF_S, SOUND_AFTER_S, Fleet
from brand_voice.process import SupervisedProcess
from brand_voice.serve import StudentServer

ONE, TWO = "tidewater@one", "tidewater@two"


class Wanted:
    """What should be served, as a test says."""

    def __init__(self) -> None:
        self.names: tuple[str, ...] = (ONE,)
        self.has_bug = False

    def __call__(self) -> tuple[str, ...]:
        if self.has_bug:
            raise ZeroDivisionError
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
    fleet._ask()
    fleet._start()
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


def looks(fleet: Fleet) -> None:
    """One look of the fleet's thread."""
    try:
        fleet.look()
    except ServeError as error:
        fleet._postpone(error)


def test_a_broken_adapter_does_not_take_the_live_one_along(fleet: Fleet, engines: Engines) -> None:
    engines.broken.add(TWO)
    fleet._wanted.names = (ONE, TWO)
    engines.kill()
    fleet.look()
    fleet._clock.moment += 1
    looks(fleet)
    looks(fleet)
    assert fleet.engine(ONE) is not None and TWO in fleet.trouble and any(TWO in line for line in engines.told)
    for _ in range(8):
        fleet._clock.moment += LONGEST_BACKOFF_S
        looks(fleet)
    engines.kill()
    looks(fleet)
    assert fleet.retry_after_s <= 4, "what failed beside it does not make it wait longer"


def test_a_broken_canary_does_not_keep_the_gateway_from_starting(engines: Engines) -> None:
    engines.broken.add(TWO)
    fleet = Fleet(lambda: (ONE, TWO), engines.ways())
    fleet.open()
    try:
        assert fleet.engine(ONE) is not None and TWO in fleet.trouble
    finally:
        fleet.close()


def test_after_a_failed_promotion_the_former_adapter_is_started_again(fleet: Fleet, engines: Engines) -> None:
    fleet.look()
    engines.broken.add(TWO)
    fleet._wanted.names = (TWO,)
    looks(fleet)
    engines.kill()
    looks(fleet)
    fleet._clock.moment += LONGEST_BACKOFF_S
    looks(fleet)
    assert fleet.engine(ONE) is not None and TWO in fleet.trouble
    engines.broken.clear()
    fleet._clock.moment += LONGEST_BACKOFF_S
    fleet.look()
    assert fleet.engine(TWO) is not None


def test_a_rollback_while_the_second_engine_starts_keeps_the_first(upstream: Misbehaving, tmp_path: Path) -> None:
    engines = Engines(upstream, tmp_path, is_lora=False)
    fleet = Fleet(Wanted(), engines.ways(), Clock())
    fleet._ask()
    fleet._start()
    (first,) = fleet.engines

    def start(names: Sequence[str]) -> StudentServer:
        fleet._wanted.names = (ONE,)
        return engines._start(names)

    fleet._ways, fleet._wanted.names = fleet._ways._replace(start=start), (TWO,)
    fleet.look()
    assert fleet.engine(ONE) is first and fleet.engines == (first,)
    assert attached_to(tmp_path) == first.server.address
    fleet._ways, fleet._wanted.names = engines.ways(), (TWO,)
    with first.busy():
        fleet.look()
        assert first.is_retired and attached_to(tmp_path) == engines.servers[-1].address
        fleet._wanted.names = (ONE,)
        fleet.look()
        assert fleet.engine(ONE) is first, "it still drained"
    fleet.look()
    assert len(engines.started) == 3 and attached_to(tmp_path) == first.server.address
    fleet.close()


def attached_to(folder: Path) -> ServerAddress:
    return ServerAddress.model_validate_json((folder / "server.json").read_bytes())


def test_a_full_disk_leaves_the_engine_answering_and_is_told(fleet: Fleet, engines: Engines, tmp_path: Path) -> None:
    (tmp_path / "server.json").unlink(missing_ok=True)
    (tmp_path / "server.json").mkdir()
    looks(fleet)
    assert fleet.engine(ONE) is not None and "server.json" in fleet.trouble
    (tmp_path / "server.json").rmdir()
    fleet.look()
    fleet.look()
    assert attached_to(tmp_path).models == (ONE,) and not fleet.trouble


def test_a_process_that_cannot_be_started_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    with pytest.raises(ServeError, match="cannot be started"):
        SupervisedProcess(["true"], env={}, cwd=tmp_path, log=tmp_path / "log")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_in_the_supervision_ends_the_process(engines: Engines) -> None:
    wanted = Wanted()
    fleet = Fleet(wanted, engines.ways(), Clock())
    fleet.open()
    wanted.has_bug = True
    fleet._wake.set()
    assert engines.ended.wait(30) and "the gateway ends" in engines.told[-1]
    fleet.close()


def test_what_one_engine_has_no_room_for_is_told(upstream: Misbehaving, tmp_path: Path) -> None:
    engines = Engines(upstream, tmp_path, is_lora=False)
    fleet = Fleet(lambda: (ONE, TWO), engines.ways(), Clock())
    fleet._ask()
    fleet._start()
    fleet.look()
    fleet.look()
    assert engines.started == [(ONE,)] and f"{TWO} is not served" in fleet.trouble
    assert sum(TWO in line for line in engines.told) == 1
    fleet.close()
