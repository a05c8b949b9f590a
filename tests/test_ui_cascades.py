"""Several texts from the cascade in the app, against a scripted student and teacher."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from paper_adapter import calibrate_on_paper, serve_on_paper
from servers import TEXT, Misbehaving, misbehaving_server

from brand_voice.brand import BrandFolder
from brand_voice.records import Brief
from brand_voice.screen.screening import Screener
from brand_voice.settings import CascadeSettings, Settings, TeacherSettings
from brand_voice.ui.cascades import Cascades, CascadeWriting
from brand_voice.ui.session import Session
from brand_voice.workspace import Workspace

STUDENT = "tidewater@blocked"


@pytest.fixture
def server() -> Iterator[Misbehaving]:
    with misbehaving_server() as running:
        yield running


@pytest.fixture
def session(server: Misbehaving, tmp_path: Path) -> Iterator[Session]:
    serve_on_paper(tmp_path, server, "blocked")
    paid = TeacherSettings(
        base_url=server.endpoint("ok").base_url, model="ok", usd_per_million_in=0, usd_per_million_out=10
    )
    settings = Settings(teachers={"paid": paid}, cascade=CascadeSettings(teacher="paid"))
    with Session(Workspace(tmp_path), settings, brand="tidewater") as opened:
        yield opened


@pytest.fixture
def brief(tidewater: BrandFolder) -> Brief:
    screener = Screener(tidewater.guide, tidewater.catalogue)
    return next(brief for brief in tidewater.briefs if not screener.screen(TEXT, brief).blocks)


def asked(server: Misbehaving) -> Counter[str]:
    return Counter(body["model"] for body in server.seen.bodies)


def test_where_only_the_teacher_can_write_one_text_is_all_there_is(session: Session, server: Misbehaving, brief: Brief):
    writing = CascadeWriting(session, Cascades(session), brief, wanted=3)
    writing.run()
    assert writing.error is None
    assert [written.draft.text for written in writing.written] == [TEXT]
    assert asked(server) == {STUDENT: 8, "ok": 1}, "the second round met the same text and was the last"
    assert len(session.store.escalations("tidewater")) == 1


def test_stop_is_heard_between_the_takes(session: Session, server: Misbehaving, brief: Brief):
    writing = CascadeWriting(session, Cascades(session), brief)
    server.observe = writing.stop
    writing.run()
    assert (asked(server), writing.written) == ({STUDENT: 1}, [])


def test_a_calibration_made_while_the_app_runs_counts(session: Session):
    cascades = Cascades(session)
    before = cascades.of("tidewater")
    assert cascades.of("tidewater") is before
    calibrate_on_paper(session.workspace, STUDENT)
    assert cascades.of("tidewater").decides == "Texts under -1 are handed over."
