"""What a page may ask to be trained on."""

from collections.abc import Callable
from pathlib import Path

import pytest

from brand_voice.errors import InputError
from brand_voice.settings import Settings
from brand_voice.ui.train_panel import Trainings
from brand_voice.workspace import Workspace


class Seat:
    """What trainings ask of a session."""

    settings = Settings()

    def __init__(self, root: Path) -> None:
        self.workspace = Workspace(root)

    def at_close(self, end: Callable[[], None]) -> None:
        """Nothing runs here that would have to end."""


def test_a_snapshot_that_is_gone_is_said_and_nothing_else_is_trained_on(tmp_path: Path) -> None:
    trainings = Trainings(Seat(tmp_path))
    with pytest.raises(InputError, match="tidewater has no snapshot tidewater@gone"):
        trainings.start("tidewater", "tidewater@gone")
    assert trainings.of("tidewater") is None
