"""The Models tab in the browser: what is live, what is known of the adapters, promotion, a training for real."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from launched_app import App, box, choose, launched, says
from playwright.sync_api import Page, expect
from servers import KEY, misbehaving_server
from shelf import file_report, review_texts, shelve
from small_brand import keep_briefs

from brand_voice.address import ServerAddress
from brand_voice.live import Promotion
from brand_voice.loop import Ask, freeze, write_drafts
from brand_voice.registry import adapters
from brand_voice.serve import StudentServer, publish
from brand_voice.settings import TrainingSettings
from brand_voice.shipped import shipped

OLD, LIVE, NEW = (f"tidewater@2026-01-0{n}-0000000{n}" for n in (1, 2, 3))


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, student: StudentServer, base: Path) -> Iterator[App]:
    """Three adapters, two of them with reports, one promoted and another one on a share of the traffic."""
    training = TrainingSettings(max_steps=10, batch_size=4, max_length=900)
    folder = tmp_path_factory.mktemp("workspace")
    brand = shutil.copytree(shipped("data") / "brands" / "tidewater", folder / "brands" / "tidewater")
    keep_briefs(Path(brand), slice(60))
    with launched(folder, student=student, base=str(base), training=training) as app:
        workspace, store = app.session.workspace, app.session.store
        for number in (1, 2, 3):
            shelve(workspace, number)
        file_report(workspace, OLD, "not_yet", 0.6)
        file_report(workspace, LIVE, "not_yet", 0.3)
        file_report(workspace, LIVE, "ready_except", 0.84)
        review_texts(store, app.brand, OLD, approved=24, rejected=6)
        review_texts(store, app.brand, None, approved=24)
        changes = Promotion(
            brand="tidewater", act="promote", adapter=LIVE, by="Ada", is_forced=True, reason="the first"
        )
        store.promote(changes)
        canary = {"act": "canary", "previous": LIVE, "canary": NEW, "share": 0.1, "is_forced": False, "reason": ""}
        store.promote(changes.model_copy(update=canary))
        yield app


def models(page: Page) -> Page:
    page.get_by_role("tab", name="Models").click()
    expect(page.locator("#models-standing section")).to_be_visible()
    return page


def test_what_is_live_since_when_and_by_whom_is_told_and_its_newest_report(opened: Callable[..., Page]) -> None:
    page = models(opened())
    standing = page.locator("#models-standing")
    expect(standing).to_contain_text(LIVE)
    expect(standing).to_contain_text("by Ada, forced: the first.")
    expect(standing).to_contain_text(f"Canary: {NEW} gets 10% of the traffic.")
    rows = page.locator("#models-adapters tbody tr")
    marks = ["canary 10%No report", "liveReady except", "Not yet"]
    for row, name, mark in zip(rows.all(), (NEW, LIVE, OLD), marks, strict=True):
        assert row.inner_text().replace("\n", "").replace("\t", "").startswith(name.partition("@")[2] + mark)
    focus = page.locator("#models-focus")
    expect(focus).to_contain_text("84% of its texts pass")
    truth = "Facts all in the brief 82% 90% -8.0 points -12.0 to -4.0 5 points open"
    expect(focus.get_by_role("row", name=truth)).to_be_visible()
    losses = "Loss, nats per token: training 1.400, validation 1.400 at the end."
    expect(focus.get_by_role("img")).to_have_attribute("aria-label", losses)
    history = page.locator("#models-history tbody tr")
    expect(history.first).to_contain_text("Canary started: 2026-01-03-00000003, 10%")
    expect(history.last).to_contain_text("(forced)")


def test_another_adapter_in_focus_says_how_to_evaluate_it_and_a_report_is_saved_as_it_is(
    app: App, opened: Callable[..., Page]
) -> None:
    page = models(opened())
    choose(page, "models-adapter", NEW)
    expect(page.locator("#models-focus")).to_contain_text(f"brand-voice evaluate --brand tidewater --adapter {NEW}")
    expect(page.locator("#models-save")).to_be_hidden()
    choose(page, "models-adapter", OLD)
    with page.expect_download() as download:
        page.locator("#models-save").click()
    assert download.value.suggested_filename == f"report {OLD}.html"
    report = next(app.session.workspace.evaluations.glob(f"{OLD}-*/report.html"))
    assert Path(download.value.path()).read_bytes() == report.read_bytes()


def test_the_generations_stand_in_a_chart_and_in_a_table(opened: Callable[..., Page]) -> None:
    generations = models(opened()).locator("#models-generations")
    expect(generations.get_by_role("img")).to_be_visible()
    assert generations.locator("svg g").count() == 4
    rows = [row.inner_text().split("\t") for row in generations.locator("tbody tr").all()]
    assert rows == [
        ["1 · 2026-01-01-00000001", "60%", "58%", "40%", "80%"],
        ["2 · 2026-01-02-00000002", "84%", "82%", "64%", "–"],
    ]


def test_a_live_adapter_whose_folder_is_gone_is_told_and_a_brand_without_any_says_what_to_do(
    app: App, opened: Callable[..., Page]
) -> None:
    folder = app.session.workspace.adapters / LIVE
    folder.rename(folder.with_name(f".{LIVE}"))
    try:
        page = models(opened())
        expect(page.locator("#models-standing .bv-alarm")).to_contain_text(
            "To do: put it back from a backup, roll back"
        )
        choose(page, "models-brand", "Vela")
        expect(page.locator("#models-adapters")).to_contain_text("To do: approve drafts under Review.")
        expect(page.locator("#models-focus")).to_be_hidden()
        page.locator("#models-train").click()
        says(page, "models-training", "No approved copy of vela to train on")
        says(page, "models-training", "To do: review drafts first")
    finally:
        folder.with_name(f".{LIVE}").rename(folder)


def test_against_the_gate_it_takes_a_second_step_a_name_and_a_reason_and_the_way_back_is_told(
    app: App, opened: Callable[..., Page]
) -> None:
    page, store, before = models(opened()), app.session.store, len(app.session.store.promotions("tidewater"))
    expect(page.locator("#models-promote")).to_be_hidden()
    choose(page, "models-adapter", OLD)
    page.locator("#models-promote").click()
    says(page, "models-plan", f"{OLD} goes live in place of {LIVE}.")
    says(page, "models-plan", f"The canary {NEW} ends.")
    says(page, "models-plan", "The gate refuses it:\n– the report is against teacher")
    page.locator("#models-leave").click()
    expect(page.locator("#models-confirm")).to_be_hidden()
    assert len(store.promotions("tidewater")) == before
    page.locator("#models-promote").click()
    page.get_by_role("button", name="Promote all the same").click()
    says(page, "models-plan", "A name is missing")
    box(page, "models-by").fill("Ada")
    page.locator("#models-confirm").click()
    says(page, "models-plan", "A reason to force it is missing")
    box(page, "models-reason").fill("the new one shouts")
    page.locator("#models-confirm").click()
    says(page, "models-plan", f"{OLD} is live now.")
    expect(page.locator("#models-standing")).to_contain_text("by Ada, forced: the new one shouts.")
    expect(page.locator("#models-history tbody tr").first).to_contain_text("Promoted: 2026-01-01-00000001 (forced)")
    page.locator("#models-rollback").click()
    says(page, "models-plan", f"{LIVE} goes live again in place of {OLD}.")
    page.locator("#models-confirm").click()
    says(page, "models-plan", f"{LIVE} is live now.")
    assert [(p.act, p.adapter, p.by) for p in store.promotions("tidewater")[before:]] == [
        ("promote", OLD, "Ada"),
        ("rollback", LIVE, "Ada"),
    ]


def test_a_canary_is_started_with_a_share_and_nobody_confirms_what_changed_meanwhile(
    app: App, opened: Callable[..., Page]
) -> None:
    page, store = models(opened()), app.session.store
    box(page, "models-by").fill("Ada")
    choose(page, "models-adapter", OLD)
    page.locator("#models-canary").click()
    says(page, "models-plan", f"{OLD} gets a share of the traffic beside {LIVE}.")
    choose(page, "models-share", "25%")
    page.locator("#models-confirm").click()
    expect(page.locator("#models-standing")).to_contain_text(f"Canary: {OLD} gets 25% of the traffic.")
    page.locator("#models-end-canary").click()
    says(page, "models-plan", f"{LIVE} gets all traffic again; {OLD} gets none.")
    page.locator("#models-confirm").click()
    expect(page.locator("#models-standing")).not_to_contain_text("Canary")
    page.locator("#models-canary").click()
    says(page, "models-plan", "The gate is not asked.")
    promoted = Promotion(brand="tidewater", act="promote", adapter=NEW, previous=LIVE, by="Ben")
    store.promote(promoted)
    page.locator("#models-confirm").click()
    says(page, "models-plan", f"By now {NEW} is live, not {LIVE}")
    expect(page.locator("#models-standing .bv-name")).to_have_text(NEW)
    assert store.promotions("tidewater")[-1].by == "Ben"
    store.promote(promoted.model_copy(update={"act": "rollback", "adapter": LIVE, "previous": NEW}))


def test_a_training_is_seen_from_every_page_stopped_by_one_and_run_to_a_new_adapter(
    app: App, opened: Callable[..., Page]
) -> None:
    page, other, session = models(opened()), models(opened()), app.session
    before, short = names(app), session.settings
    session.settings = short.model_copy(update={"training": short.training.model_copy(update={"max_steps": 100_000})})
    page.locator("#models-train").click()
    says(page, "models-training", "Step ")
    says(page, "models-training", " left …")
    expect(page.locator("#models-training-seen svg")).to_be_visible()
    expect(page.locator("#models-train")).to_be_disabled()
    other.get_by_role("tab", name="Write").click()
    models(other).locator("#models-train-stop").click()
    says(other, "models-training", "Stopped. No adapter was made")
    says(page, "models-training", "Stopped. No adapter was made")
    assert names(app) == before
    session.settings = short
    page.locator("#models-train").click()
    says(page, "models-training", "Trained: tidewater@")
    [new] = names(app) - before
    expect(page.locator("#models-focus h2")).to_have_text(new)
    expect(box(page, "models-adapter")).to_have_value(new)
    expect(page.locator("#models-snapshots tbody tr")).to_have_count(1)


def test_an_evaluation_started_here_ends_in_a_report_and_what_keeps_it_from_one_is_told(
    app: App, opened: Callable[..., Page]
) -> None:
    workspace = app.session.workspace
    adapter = shelve(workspace, 4, name="tidewater@ok", snapshot=freeze(app.session.context("tidewater")).name).name
    page = models(opened())
    choose(page, "models-adapter", OLD)
    page.locator("#models-evaluate").click()
    says(page, "models-evaluation", "To do: build it again")  # its snapshot is gone
    choose(page, "models-adapter", adapter)
    choose(page, "models-against", "the teacher")
    write_drafts(app.session.context("tidewater"), Ask())
    with misbehaving_server() as server:
        base_url = f"http://127.0.0.1:{server.server_port}/v1"
        address = ServerAddress(pid=os.getpid(), base_url=base_url, key=KEY, models=(adapter,))
        publish(StudentServer(address), workspace.server_file)
        page.locator("#models-evaluate").click()
        expect(page.locator("#models-focus")).to_contain_text("against teacher")
    expect(box(page, "models-evaluation")).to_be_hidden()
    expect(page.locator("#models-save")).to_be_visible()
    page.locator("#models-promote").click()
    says(page, "models-plan", f"tidewater@ok goes live in place of {LIVE}.")


def names(app: App) -> set[str]:
    return {manifest.name for manifest in adapters(app.session.workspace.adapters, "tidewater")}
