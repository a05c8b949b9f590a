"""The command line as a user meets it: real subprocesses, wrong input, kills, and second runs."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from servers import Misbehaving, misbehaving_server

from brand_voice.adopt import adopt
from brand_voice.brand import load_brand
from brand_voice.brief_files import read_copy
from brand_voice.store.store import Store

Result = subprocess.CompletedProcess[str]
COMMAND = [sys.executable, "-c", "from brand_voice.cli.main import main; main()"]
COMMANDS = (
    "demo brand generate screen import review rules snapshot distill serve write evaluate calibrate status app people "
    "keys adapters promote rollback history refresh next"
).split()


@pytest.fixture
def cli(tmp_path: Path) -> Callable[..., Result]:
    environment = os.environ | {"BRAND_VOICE_WORKSPACE": str(tmp_path / "ws"), "COLUMNS": "200"}

    def call(*arguments: str, **changes: str) -> Result:
        return subprocess.run(
            [*COMMAND, *arguments],
            check=False,
            capture_output=True,
            text=True,
            env=environment | changes,
            timeout=120,
            cwd=tmp_path,
        )

    return call


def recorded(limit: int) -> int:
    """Completions recorded for tidewater's first briefs."""
    brand = load_brand("tidewater")
    ids = {b.id for b in brand.briefs[:limit]}
    return sum(r.brief_id in ids for r in brand.recordings)


def is_clear(result: Result, code: int = 1) -> bool:
    """Two lines with message and remedy, the right exit code, no traceback."""
    lines = result.stderr.strip().splitlines()[-2:]
    told = lines[0].startswith("error: ") and lines[1].startswith("  try: ")
    return result.returncode == code and told and "Traceback" not in result.stderr


def test_help_names_every_command_and_loads_nothing_heavy() -> None:
    code = "import sys; from brand_voice.cli.main import app; from typer.main import get_command; get_command(app)\n"
    heavy = "torch transformers gradio openai sqlalchemy lingua trl datasets jinja2".split()
    code += f"assert not set({heavy}) & set(sys.modules), sorted(set({heavy}) & set(sys.modules))"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    told = subprocess.run([*COMMAND, "--help"], check=True, capture_output=True, text=True, timeout=60).stdout
    assert all(name in told for name in COMMANDS)


@pytest.mark.parametrize(
    "arguments",
    [
        ("generate", "--brand", "nope"),
        ("generate", "--brand", "tidewater", "--teacher", "gpt"),
        ("snapshot", "--brand", "tidewater"),
        ("distill", "--brand", "tidewater"),
        ("serve", "--brand", "tidewater"),
        ("evaluate", "--brand", "tidewater"),
        ("review", "--brand", "tidewater", "--draft", "x", "--verdict", "maybe"),
        ("review", "--brand", "tidewater", "--draft", "x", "--verdict", "approve", "--reviewer", "me"),
        ("brand", "new", "Not An Id"),
        ("brand", "check", "nope"),
        ("status", "--brand", "nope"),
        ("generate", "--brand", "tidewater", "--config", "missing.toml"),
    ],
    ids=" ".join,
)
def test_wrong_input_gets_message_and_remedy(cli: Callable[..., Result], arguments: tuple[str, ...]) -> None:
    result = cli(*arguments)
    assert is_clear(result), result.stderr


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ("teacher = [", "is not TOML"),
        ("machine_usd_per_hour = -1", "machine_usd_per_hour"),
        ("colour = 'red'", "colour"),
        ("[teachers.x]\nbase_url = 'http://127.0.0.1:9'", "teachers.x.model"),
        (
            "teacher = 'x'\n[teachers.x]\nbase_url = 'http://h/v1'\nmodel = 'm'\napi_key_env = 'NO_SUCH_KEY'",
            "NO_SUCH_KEY",
        ),
    ],
)
def test_wrong_settings_are_named(cli: Callable[..., Result], tmp_path: Path, toml: str, told: str) -> None:
    (tmp_path / "bad.toml").write_text(toml)
    result = cli("generate", "--brand", "tidewater", "--config", str(tmp_path / "bad.toml"))
    assert is_clear(result), result.stderr
    assert told in result.stderr


def test_usage_errors_exit_with_2(cli: Callable[..., Result]) -> None:
    assert cli("generate").returncode == 2
    assert cli("generate", "--brand", "tidewater", "--limit", "0").returncode == 2
    assert cli("write", "--brand", "tidewater").returncode == 2


def test_from_briefs_to_snapshot_and_a_second_run_adds_nothing(cli: Callable[..., Result]) -> None:
    count = recorded(8)
    assert f"generate: {count} drafts" in cli("generate", "--brand", "tidewater", "--limit", "8").stderr
    assert "generate: 0 drafts" in cli("generate", "--brand", "tidewater", "--limit", "8").stderr
    assert f"screen: {count} drafts" in cli("screen", "--brand", "tidewater").stderr
    assert "screen: 0 drafts" in cli("screen", "--brand", "tidewater").stderr
    assert f"{count} recorded verdicts" in cli("review", "--brand", "tidewater", "--recorded").stderr
    assert "0 recorded verdicts" in cli("review", "--brand", "tidewater", "--recorded").stderr
    frozen = json.loads(cli("snapshot", "--brand", "tidewater", "--json").stdout)
    assert json.loads(cli("snapshot", "--brand", "tidewater", "--json").stdout) == frozen
    (state,) = json.loads(cli("status", "--brand", "tidewater", "--json").stdout)
    assert state["drafts"] == count
    assert state["snapshots"] == [frozen["name"]]
    assert "distill" in state["next"]


def test_a_verdict_from_the_command_line_is_stored_and_an_edit_is_screened(cli: Callable[..., Result]) -> None:
    cli("generate", "--brand", "tidewater", "--limit", "1", "--candidates", "1")
    draft = cli("review", "--brand", "tidewater").stdout.split()[0]
    me = ("review", "--brand", "tidewater", "--draft", draft, "--reviewer", "Ada")
    assert is_clear(cli(*me, "--verdict", "reject"))
    assert is_clear(cli(*me, "--verdict", "edit", "--text", ""))
    edited = cli(*me, "--verdict", "edit", "--text", "An artisanal cup.", "--reason", "off_voice")
    assert "revision 1" in edited.stderr
    assert "artisanal" in edited.stderr, "the edit is screened again"
    assert "revision 2" in cli(*me, "--verdict", "reject", "--reason", "cliche").stderr


TEACHER = """teacher = "slow"
[teachers.slow]
base_url = "{url}"
model = "{model}"
max_concurrency = 2
max_attempts = 1
read_timeout_s = 2
{more}"""


def configured(folder: Path, server: Misbehaving, model: str, more: str = "") -> str:
    path = folder / "teacher.toml"
    path.write_text(TEACHER.format(url=server.endpoint(model).base_url, model=model, more=more))
    return str(path)


@pytest.mark.parametrize(
    "model", ["html", "server-error", "rate-limited", "truncated-json", "empty", "cut-off", "refusal"]
)
def test_a_teacher_that_always_fails_ends_the_run_clearly_and_loses_nothing(
    cli: Callable[..., Result], tmp_path: Path, model: str
) -> None:
    cli("generate", "--brand", "tidewater", "--limit", "5")
    with misbehaving_server() as server:
        result = cli("generate", "--brand", "tidewater", "--config", configured(tmp_path, server, model))
    assert is_clear(result), result.stderr
    (state,) = json.loads(cli("status", "--brand", "tidewater", "--json").stdout)
    assert state["drafts"] == recorded(5)
    assert state["failed"] >= 20


def test_a_cost_cap_stops_with_4_before_it_is_passed(cli: Callable[..., Result], tmp_path: Path) -> None:
    prices = "usd_per_million_in = 5\nusd_per_million_out = 25"
    with misbehaving_server() as server:
        config = configured(tmp_path, server, "ok", prices)
        result = cli("generate", "--brand", "tidewater", "--config", config, "--max-cost-usd", "0.05")
    assert is_clear(result, 4), result.stderr
    (state,) = json.loads(cli("status", "--brand", "tidewater", "--json").stdout)
    assert 0 < state["drafts"] < 565


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_ended_keeps_what_it_had_and_the_next_completes(
    cli: Callable[..., Result], tmp_path: Path, end: signal.Signals
) -> None:
    with misbehaving_server() as server:
        config = configured(tmp_path, server, "ok")
        environment = os.environ | {"BRAND_VOICE_WORKSPACE": str(tmp_path / "ws")}
        arguments = ["generate", "--brand", "tidewater", "--config", config]
        running = subprocess.Popen([*COMMAND, *arguments], env=environment, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 60
        while len(server.seen.bodies) < 100 and time.monotonic() < deadline:
            with suppress(subprocess.TimeoutExpired):
                running.wait(0.05)
                break
        running.send_signal(end)
        _, told = running.communicate(timeout=30)
        if end == signal.SIGINT:
            assert running.returncode == 130
            assert "interrupted" in told
            assert "Traceback" not in told
        asked = len(server.seen.bodies)
        assert cli(*arguments).returncode == 0
        asked_again = asked + (len(server.seen.bodies) - asked) - 565
        assert asked_again <= 40, "only what was in flight or in the last unsaved moment is asked for again"
    (state,) = json.loads(cli("status", "--brand", "tidewater", "--json").stdout)
    assert state["drafts"] == 565


def test_two_processes_on_one_workspace_do_not_disturb_each_other(cli: Callable[..., Result]) -> None:
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: cli("generate", "--brand", "vela", "--limit", "60"), range(2)))
    assert [r.returncode for r in both] == [0, 0], [r.stderr for r in both]
    (state,) = json.loads(cli("status", "--brand", "vela", "--json").stdout)
    assert state["failed"] == 0
    assert state["drafts"] >= 60


def test_a_database_that_is_none_is_refused_and_left_alone(cli: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "ws").mkdir()
    (tmp_path / "ws" / "brand_voice.db").write_text("dear diary")
    assert is_clear(cli("status", "--brand", "tidewater"))
    assert (tmp_path / "ws" / "brand_voice.db").read_text() == "dear diary"


def test_a_student_that_is_no_model_is_refused(cli: Callable[..., Result], tmp_path: Path) -> None:
    cli("generate", "--brand", "tidewater", "--limit", "8")
    cli("review", "--brand", "tidewater", "--recorded")
    cli("snapshot", "--brand", "tidewater")
    (tmp_path / "empty").mkdir()
    for path in ("./empty", "./missing"):
        result = cli("distill", "--brand", "tidewater", "--student", path)
        assert is_clear(result), result.stderr


WRITTEN = """text,channel,key_message
Toba Rain takes cream without disappearing.,sms,takes cream
Slow mornings need 12 oz. Slow Mug.,tagline,
,sms,nothing
"""


def test_import_stores_what_it_can_and_hands_the_rest_back(cli: Callable[..., Result], tmp_path: Path) -> None:
    copy, missing = tmp_path / "copy.csv", tmp_path / "missing.csv"
    copy.write_text(WRITTEN)
    arguments = ("import", str(copy), "--brand", "tidewater", "--reviewer", "Ann", "--missing", str(missing))
    first = cli(*arguments)
    assert (first.returncode, "1 new approved texts, 1 lack a brief" in first.stderr) == (3, True)
    assert "row 3: text: saw nothing" in first.stderr
    assert "0 new approved texts" in cli(*arguments).stderr
    with misbehaving_server() as server:
        settings = configured(tmp_path, server, "finds-a-brief")
        proposed = cli(*arguments, "--propose", "--config", settings)
    assert proposed.returncode == 3, proposed.stderr
    assert "slow mornings" in missing.read_text("utf-8-sig")
    confirmed = cli("import", str(missing), "--brand", "tidewater", "--reviewer", "Ann")
    assert (confirmed.returncode, "1 new approved texts, 0 lack" in confirmed.stderr) == (0, True)
    (state,) = json.loads(cli("status", "--brand", "tidewater", "--json").stdout)
    assert state["verdicts"]["approve"] == 2


@pytest.mark.parametrize(
    ("model", "code", "told"),
    [("ok", 3, "row 2: slow answered with no brief"), ("empty", 3, "row 2: "), ("quota", 1, "error: ")],
)
def test_a_row_whose_proposal_failed_is_told_and_stands_in_the_missing_file(
    cli: Callable[..., Result], tmp_path: Path, model: str, code: int, told: str
) -> None:
    copy, missing = tmp_path / "copy.csv", tmp_path / "missing.csv"
    copy.write_text(WRITTEN)
    arguments = ("import", str(copy), "--brand", "tidewater", "--reviewer", "Ann", "--missing", str(missing))
    with misbehaving_server() as server:
        failed = cli(*arguments, "--propose", "--config", configured(tmp_path, server, model))
    assert (failed.returncode, told in failed.stderr) == (code, True), failed.stderr
    (kept,) = csv.DictReader(missing.read_text("utf-8-sig").splitlines())
    assert (kept["text"], kept["channel"]) == ("Slow mornings need 12 oz. Slow Mug.", "tagline")
    if code == 3:
        assert "1 lack a brief (in" in failed.stderr
        assert "1 unusable" in failed.stderr


def test_import_without_a_name_or_a_teacher_says_what_to_do(cli: Callable[..., Result], tmp_path: Path) -> None:
    copy = tmp_path / "copy.csv"
    copy.write_text(WRITTEN)
    nameless = cli("import", str(copy), "--brand", "tidewater", BRAND_VOICE_REVIEWER="")
    assert (nameless.returncode, "give --reviewer" in nameless.stderr) == (1, True)
    alone = cli("import", str(copy), "--brand", "tidewater", "--reviewer", "Ann", "--propose")
    assert (alone.returncode, "configure a teacher" in alone.stderr) == (1, True)


def test_what_a_killed_import_left_without_its_approval_is_approved_by_the_next(
    cli: Callable[..., Result], tmp_path: Path
) -> None:
    copy, brand = tmp_path / "copy.csv", load_brand("tidewater")
    copy.write_text(WRITTEN)
    (adopted,) = adopt(read_copy(copy, brand=brand.guide, products=brand.products), reviewer="Ann")
    (tmp_path / "ws").mkdir()
    with Store.open(tmp_path / "ws" / "brand_voice.db") as store:
        store.save_brand_briefs([adopted.brief])
        store.save_draft(adopted.draft)
        again = cli("import", str(copy), "--brand", "tidewater", "--reviewer", "Ann")
        assert "1 new approved texts" in again.stderr
        assert [a.draft.id for a in store.approved("tidewater")] == [adopted.draft.id]


def test_adopted_copy_trains_like_any_other(cli: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "copy.csv").write_text(WRITTEN)
    cli("import", str(tmp_path / "copy.csv"), "--brand", "tidewater", "--reviewer", "Ann")
    with Store.open(tmp_path / "ws" / "brand_voice.db") as store:
        (approved,) = store.approved("tidewater")
        assert (approved.draft.author, approved.review.reviewer) == ("person", "Ann")
        assert store.screening(approved.draft.id) is not None
