"""The contender "Student, then teacher" of the Write tab: the cascade of whichever adapter is served.

It is asked for whole texts, since nobody knows whose the text will be while it is written. What it wrote is stored and
stands in the review queue, unlike the other sides' texts: its way is evidence of what the student cannot do yet.
"""

import threading
from contextlib import ExitStack

from brand_voice import calibration
from brand_voice.cascade import Cascade, opened
from brand_voice.errors import BrandVoiceError
from brand_voice.live import Answered
from brand_voice.records import Brief
from brand_voice.settings import RECORDED
from brand_voice.teacher import Patience
from brand_voice.ui.session import STUDENT, Session, Written
from brand_voice.ui.writing import MORE, Writing

CASCADE = "cascade"
"""Contender beside `teacher`, `student` and adapters' names."""
TITLE = "Student, then teacher"


class Cascades:
    """A session's cascades, opened when first asked; safe for threads."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._opened = ExitStack()
        self._lock = threading.Lock()
        self._cascades: dict[tuple[str, str, int], Cascade] = {}
        """By adapter, version of the guide and calibration, since people change both while the app runs."""
        session.at_close(self._opened.close)

    def of(self, brand: str) -> Cascade:
        """The cascade of a brand's newest adapter that is served.

        Raises:
            BrandVoiceError: no student answers now, or the teacher cannot be asked; the remedy says what to do.
        """
        session = self._session
        student = session.writer(STUDENT, brand).chat
        adapter = student.endpoint.model
        made = calibration.stamp(session.workspace.calibrations, adapter)
        key = (adapter, session.folder(brand).guide.version, made)
        with self._lock:
            if key not in self._cascades:
                cascade = opened(session.context(brand), student, screener=session.screener(brand))
                self._cascades[key] = self._opened.enter_context(cascade)
            return self._cascades[key]

    def who(self, brand: str) -> str:
        """Who is asked in turn, what decides, and where the text goes.

        Raises:
            BrandVoiceError: as `of`.
        """
        cascade = self.of(brand)
        last = {RECORDED: "the recorded teacher", None: "nobody"}.get(cascade.teacher, cascade.teacher)
        return f"{cascade.adapter}, then {last}. {cascade.decides} All it writes is stored for review at once."


class CascadeWriting(Writing):
    """The cascade at work on a brief: as any contender, but whole texts, each with its reason."""

    def __init__(self, session: Session, cascades: Cascades, brief: Brief, wanted: int = 1) -> None:
        super().__init__(session, CASCADE, brief, wanted)
        self._cascades = cascades

    def run(self) -> None:
        """Ask, and take what comes."""
        try:
            cascade = self._cascades.of(self.brief.brand)
            patience, seen = Patience(has_gone=lambda: self.is_stopped), set[str]()
            for _ in range(self.wanted + MORE):
                answered = cascade.answer(self.brief, patience)
                if self.is_stopped or answered.draft.id in seen:  # the teacher's text of before: there are no others
                    return
                seen.add(answered.draft.id)
                written = Written(self.brief, answered.draft, answered.screening, _reason(answered))
                if not self._is_alike(written):
                    self.written.append(written)
                if len(self.written) == self.wanted:
                    return
        except BrandVoiceError as error:
            self.error = error


def _reason(answered: Answered) -> str:
    """Whose text it is, and why this one."""
    model = answered.draft.model
    whose = f"the student, {model}" if answered.by != "teacher" else f"the teacher, {model}"
    if model == RECORDED:
        whose = "the recorded teacher"
    return f"Written by {whose}. {answered.why}"
