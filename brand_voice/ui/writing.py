"""A contender at work on a brief: a thread that asks for one text after another until enough of them differ.

The page looks at it while it writes. Stopping it keeps what is finished and drops what is not; a metered answer that
was begun stays in the journal.
"""

import threading

from brand_voice.errors import BrandVoiceError
from brand_voice.records import Brief
from brand_voice.screen.similar import masked, near_duplicates
from brand_voice.ui.session import Session, Written

MORE = 2
"""Texts asked for beyond what is wanted, where some are near-duplicates."""


class Writing(threading.Thread):
    """The text so far, the texts that are finished, or the error."""

    def __init__(self, session: Session, contender: str, brief: Brief, wanted: int = 1) -> None:
        super().__init__(name=f"write-{contender}", daemon=True)
        self.brief = brief
        self.wanted = wanted
        self.text = ""
        """Of the text that is being written."""
        self.written: list[Written] = []
        """Finished texts, no two alike."""
        self.error: BrandVoiceError | None = None
        self.is_stopped = False
        self._session = session
        self._contender = contender

    def stop(self) -> None:
        """Write no further."""
        self.is_stopped = True

    def run(self) -> None:
        """Ask, and take what comes."""
        try:
            writer = self._session.writer(self._contender, self.brief.brand)
            for request in self._session.fresh_requests(writer, self.brief, self.wanted + MORE):
                self.text = ""
                for piece in self._session.stream(writer, request):
                    if self.is_stopped:
                        return
                    if isinstance(piece, str):
                        self.text += piece
                    elif not self._is_alike(piece):
                        self.written.append(piece)
                if len(self.written) == self.wanted:
                    return
        except BrandVoiceError as error:
            self.error = error

    def _is_alike(self, new: Written) -> bool:
        """Whether a finished text says the same as an earlier one."""
        texts = [masked(each.draft.text, self.brief) for each in (*self.written, new)]
        return any(later == len(texts) - 1 for _, later, _ in near_duplicates(texts))
