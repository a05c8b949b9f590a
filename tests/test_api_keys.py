"""API keys: made once, kept as hashes, found by name, never deleted, and held to their pace."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gateways import Clock
from typer.testing import CliRunner

from brand_voice.api_keys import ApiKey, Pace, key_hash, new_key
from brand_voice.cli.main import app
from brand_voice.errors import PeopleError
from brand_voice.store.store import Store
from brand_voice.workspace import Workspace


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(Workspace(tmp_path).database) as store:
        yield store


@pytest.fixture
def keys(tmp_path: Path) -> Callable[..., Any]:
    """`brand-voice keys` on a workspace of its own."""
    return lambda *arguments: CliRunner().invoke(app, ["keys", *arguments, "--workspace", str(tmp_path)])


def test_a_key_is_told_once_and_kept_as_a_hash(keys: Callable[..., Any], store: Store, tmp_path: Path) -> None:
    added = keys("add", "Web shop", "--per-minute", "60")
    key = added.stdout.strip()
    assert len(key) > 40 and key not in added.stderr
    assert store.api_keys()[key_hash(key)].per_minute == 60
    assert not any(key.encode() in file.read_bytes() for file in tmp_path.iterdir())
    listed = keys("list").stdout
    assert "60 a minute" in listed and "Web shop" in listed and key not in listed + keys("list", "--json").stdout
    assert keys("revoke", "web  SHOP").exit_code == 0
    assert "revoked" in keys("list").stdout
    assert not store.api_keys()[key_hash(key)].is_active


@pytest.mark.parametrize("arguments", [("add", "Shop"), ("add", " sHop "), ("add", ""), ("revoke", "nobody")])
def test_a_name_that_cannot_be_used_gets_a_remedy(keys: Callable[..., Any], arguments: tuple[str, ...]) -> None:
    keys("add", "shop")
    refused = keys(*arguments)
    assert refused.exit_code == 1 and not refused.stdout
    assert "error: " in refused.stderr and "try: " in refused.stderr


def test_two_keys_of_one_name_are_refused_and_none_is_lost(store: Store) -> None:
    store.add_key(ApiKey(name="a"), key_hash("one"))
    with pytest.raises(PeopleError):
        store.add_key(ApiKey(name="A"), key_hash("two"))
    assert list(store.api_keys()) == [key_hash("one")]


def test_names_and_rows_stay(store: Store, tmp_path: Path) -> None:
    store.add_key(ApiKey(name="a"), key_hash("one"))
    connection = sqlite3.connect(Workspace(tmp_path).database)
    for statement in ("DELETE FROM api_keys", "UPDATE api_keys SET name = 'b'", "UPDATE api_keys SET hash = 'x'"):
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(statement)


def test_keys_are_not_alike() -> None:
    assert len({new_key() for _ in range(100)}) == 100
    assert key_hash("\udcff") != key_hash("a")


def test_a_minute_holds_so_many_and_no_more() -> None:
    clock = Clock()
    pace, key = Pace(clock), ApiKey(name="a", per_minute=3)
    for moment in (0.0, 10.0, 20.0):
        clock.moment = moment
        assert pace.wait_s(key) == 0
    assert pace.wait_s(key) == pace.wait_s(key) == 40, "a refused request is not counted"
    clock.moment = 60.0
    assert [pace.wait_s(key), pace.wait_s(key)] == [0, 10]
    assert pace.wait_s(ApiKey(name="b", per_minute=1)) == 0
    assert all(pace.wait_s(ApiKey(name="c")) == 0 for _ in range(1_000))


def test_a_commit_of_another_process_is_noticed(store: Store, tmp_path: Path) -> None:
    with store.watched() as version:
        before = version()
        assert version() == before
        code = "from brand_voice.cli.main import main; main()"
        add = ["keys", "add", "k", "--workspace", str(tmp_path)]
        subprocess.run([sys.executable, "-c", code, *add], check=True, capture_output=True)
        assert version() != before
