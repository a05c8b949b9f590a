"""People: names, roles, passwords that are never kept, the throttle, and the last admin."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from brand_voice.cli.main import app as command_line
from brand_voice.errors import PeopleError
from brand_voice.people import (
    FIRST_WAIT_S,
    FREE_FAILURES,
    LONGEST_WAIT_S,
    MAX_NAMES,
    MAX_RECENT,
    SCRYPT,
    WINDOW_S,
    Person,
    Throttle,
    checked_name,
    checked_role,
    hashed,
    is_right,
    name_key,
)
from brand_voice.store.store import Store
from brand_voice.workspace import Workspace

PASSWORD = "four words, unrelated"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(Workspace(tmp_path).database) as store:
        yield store


@pytest.fixture
def people(tmp_path: Path) -> Callable[..., Any]:
    """`brand-voice people` on a workspace of its own."""

    def call(*arguments: str, said: str | None = None) -> Any:
        return CliRunner().invoke(command_line, ["people", *arguments, "--workspace", str(tmp_path)], input=said)

    return call


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.moment = 0.0

    def __call__(self) -> float:
        return self.moment


def test_a_password_is_kept_as_a_salted_hash_with_its_parameters() -> None:
    kept = hashed(PASSWORD)
    scheme, *cost, salt, digest = kept.split("$")
    assert (scheme, tuple(map(int, cost)), len(salt), len(digest)) == ("scrypt", SCRYPT, 32, 64)
    assert PASSWORD not in kept
    assert salt not in hashed(PASSWORD)
    assert is_right(PASSWORD, kept)
    assert not is_right(PASSWORD + ".", kept)


def test_a_hash_of_other_parameters_is_still_read() -> None:
    salt = b"s" * 16
    digest = hashlib.scrypt(PASSWORD.encode(), salt=salt, n=2**10, r=8, p=1, dklen=32)
    assert is_right(PASSWORD, f"scrypt$1024$8$1${salt.hex()}${digest.hex()}")


def test_the_same_characters_typed_on_another_machine_are_the_same_password() -> None:
    assert is_right("cafe\u0301 con leche", hashed("café con leche"))


def test_nobodys_password_is_never_right_and_costs_the_same_work(monkeypatch: pytest.MonkeyPatch) -> None:
    costs, scrypt = [], hashlib.scrypt

    def counted(*given: Any, **cost: Any) -> bytes:
        costs.append((cost["n"], cost["r"], cost["p"], cost["dklen"]))
        return scrypt(*given, **cost)

    kept = hashed(PASSWORD)
    monkeypatch.setattr(hashlib, "scrypt", counted)
    assert [is_right(PASSWORD, kept), is_right(PASSWORD, None), is_right("", None)] == [True, False, False]
    assert len(costs) == 3
    assert len(set(costs)) == 1


def test_a_short_password_is_refused_without_being_told() -> None:
    with pytest.raises(PeopleError, match="at least 10 characters; this one has 9") as refused:
        hashed("s3cret-pw")
    assert "s3cret" not in f"{refused.value!r} {refused.value} {refused.value.remedy}"


def test_a_password_no_encoding_holds_is_hashed_and_not_told() -> None:
    assert is_right("ten \udc80 characters", hashed("ten \udc80 characters"))


@pytest.mark.parametrize("name", ["", "  ", "x" * 61, "a\u202eb", "a\x00b", "\udc80"])
def test_names_that_cannot_be_read_are_refused(name: str) -> None:
    with pytest.raises(PeopleError, match="1 to 60 printable"):
        checked_name(name)


def test_names_differ_by_more_than_case_width_and_spaces() -> None:
    assert checked_name("  Zoe\u0308  Weiß ") == "Zoë Weiß"
    assert len({name_key(name) for name in ("Zoë Weiß", "ZOË  WEISS", "Ｚｏë weiß")}) == 1


def test_an_unknown_role_names_the_known_ones() -> None:
    assert checked_role("reviewer") == "reviewer"
    with pytest.raises(PeopleError) as refused:
        checked_role("boss")
    assert "copywriter, reviewer, admin" in refused.value.remedy


def test_roles_rank_and_who_was_removed_may_nothing() -> None:
    reviewer = Person(name="Mia", role="reviewer")
    assert [reviewer.may(least) for least in ("copywriter", "reviewer", "admin")] == [True, True, False]
    assert not reviewer.model_copy(update={"is_active": False}).may("copywriter")


def test_a_name_waits_after_five_failures_in_a_row_and_longer_after_each_further_one() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    for _ in range(FREE_FAILURES - 1):
        throttle.failed("Mia")
    assert throttle.wait_s("Mia") == 0
    waits = []
    for _ in range(8):
        throttle.failed("mia ")
        waits.append(throttle.wait_s("MIA"))
        clock.moment += waits[-1]
        assert throttle.wait_s("Mia") == 0
    assert waits == [FIRST_WAIT_S, 60, 120, 240, 480, *3 * [LONGEST_WAIT_S]]
    assert throttle.wait_s("Noor") == 0


def test_the_right_password_ends_the_row() -> None:
    throttle = Throttle(Clock())
    for _ in range(FREE_FAILURES - 1):
        throttle.failed("Mia")
    throttle.succeeded("Mia")
    throttle.failed("Mia")
    assert throttle.wait_s("Mia") == 0


def test_many_failures_of_many_names_make_everybody_wait_until_the_window_has_passed() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    for number in range(MAX_RECENT):
        clock.moment = float(number)
        assert throttle.wait_s("Mia") == 0
        throttle.failed(f"guess {number}")
    assert throttle.wait_s("Mia") == WINDOW_S - (MAX_RECENT - 1)
    clock.moment = WINDOW_S
    assert throttle.wait_s("Mia") == 0


def test_a_stranger_cannot_fill_the_memory_with_names() -> None:
    throttle = Throttle(Clock())
    for number in range(MAX_NAMES + 5):
        throttle.failed(f"{number} {'x' * 100_000}")
    assert len(throttle._in_a_row) == MAX_NAMES
    assert max(map(len, throttle._in_a_row)) <= 60


def test_the_first_person_must_be_an_admin_and_names_are_taken_whatever_their_case(store: Store) -> None:
    with pytest.raises(PeopleError, match="first person must be an admin"):
        store.add_person("Mia", "reviewer", "h")
    assert store.people() == ()
    store.add_person("Ada", "admin", "h")
    with pytest.raises(PeopleError, match="already"):
        store.add_person("ADA", "copywriter", "h")
    assert [(p.name, p.role) for p in store.people()] == [("Ada", "admin")]
    assert store.person("aDA ") == store.people()[0]
    assert store.person("Mia") is store.person("\udc80") is None


def test_the_last_active_admin_can_neither_go_nor_be_demoted(store: Store) -> None:
    store.add_person("Ada", "admin", "h")
    store.add_person("Bo", "admin", "h")
    store.deactivate("bo")
    for change in (lambda: store.deactivate("Ada"), lambda: store.change_role("Ada", "reviewer")):
        with pytest.raises(PeopleError, match="last active admin") as refused:
            change()
        assert "people role NAME admin" in refused.value.remedy
    assert store.person("Ada") == Person(name="Ada", role="admin", created_at=store.people()[0].created_at)
    store.restore("Bo")
    store.change_role("Ada", "reviewer")
    assert [(p.name, p.role, p.is_active) for p in store.people()] == [("Ada", "reviewer", True), ("Bo", "admin", True)]


def test_who_was_removed_has_no_password_and_stays_known(store: Store) -> None:
    store.add_person("Ada", "admin", "h")
    store.add_person("Mia", "reviewer", "m")
    assert store.password_hash("mia") == "m"
    store.change_password("MIA", "m2")
    assert store.password_hash("Mia") == "m2"
    store.deactivate("Mia")
    assert store.password_hash("Mia") is store.password_hash("nobody") is None
    assert store.person("Mia") is not None
    for change in (store.deactivate, store.restore):
        with pytest.raises(PeopleError, match="there is no 'nobody'"):
            change("nobody")


def test_the_command_adds_lists_changes_and_removes(people: Callable[..., Any], tmp_path: Path) -> None:
    typed_twice = f"{PASSWORD}\n{PASSWORD}\n"
    assert people("add", "Ada", "--role", "admin", said=typed_twice).exit_code == 0
    assert people("add", "Mia", "--role", "copywriter", "--password-stdin", said=f"{PASSWORD}\n").exit_code == 0
    assert people("role", "mia", "reviewer").exit_code == 0
    assert people("password", "Mia", "--password-stdin", said="another pass phrase").exit_code == 0
    assert people("remove", "Mia").exit_code == 0
    listed = json.loads(people("list", "--json").stdout)
    assert [(p["name"], p["role"], p["is_active"]) for p in listed] == [
        ("Ada", "admin", True),
        ("Mia", "reviewer", False),
    ]
    assert "password" not in listed[0]
    assert people("list").stdout.splitlines()[1].endswith("Mia  removed")
    assert people("restore", "Mia").exit_code == 0
    with Store.open(Workspace(tmp_path).database) as store:
        assert is_right(PASSWORD, store.password_hash("Ada"))
        assert is_right("another pass phrase", store.password_hash("Mia"))
    assert PASSWORD.encode() not in b"".join(file.read_bytes() for file in tmp_path.iterdir())


def test_wrong_input_of_the_command_is_told_with_a_remedy_and_never_the_password(tmp_path: Path) -> None:
    short = "tiny pw 7"
    call = [sys.executable, "-c", "from brand_voice.cli.main import main; main()", "people"]
    for arguments, told in (
        (("add", "Mia", "--role", "reviewer", "--password-stdin"), "at least 10 characters"),
        (("add", "Mia", "--role", "boss", "--password-stdin"), "no role 'boss'"),
        (("password", "Mia", "--password-stdin"), "at least 10 characters"),
        (("remove", "Mia"), "there is no 'Mia'"),
    ):
        command = [*call, *arguments, "--workspace", str(tmp_path)]
        done = subprocess.run(command, input=short, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 1
        assert told in done.stderr
        assert "  try: " in done.stderr
        assert short not in done.stdout + done.stderr
