"""A brand as it stands on the disk, for programs that run long: its files are read again when one of them changes."""

import threading
from collections.abc import Callable
from pathlib import Path

from brand_voice.brand import FILES, BrandFolder, find_brand, read_brand
from brand_voice.errors import BrandError
from brand_voice.screen.screening import Screener

Stamp = tuple[Path, tuple[int, ...]]


class CurrentBrand:
    """A brand's folder and its rules; a look costs a few `stat`. Safe for threads."""

    def __init__(self, brand_id: str, workspace_brands: Path, notify: Callable[[str], None]) -> None:
        """Read the brand.

        Args:
            brand_id: which brand.
            workspace_brands: where the user's brands are; one there shadows a shipped one.
            notify: told why a change was not taken.

        Raises:
            BrandError: unknown id, or a file that breaks the schema.
        """
        self._id, self._workspace_brands, self._notify = brand_id, workspace_brands, notify
        self._turn = threading.Lock()
        self._seen: Stamp | None = self._stamp()
        self._folder = read_brand(self._seen[0])
        self._screener: Screener | None = None
        self._problem = ""
        """Why the last change was not taken, as it was told."""

    @property
    def folder(self) -> BrandFolder:
        """The brand; as long as its files cannot be read, the former one."""
        with self._turn:
            self._look()
            return self._folder

    @property
    def problem(self) -> str:
        """Why the brand is not as its files say now; empty where it is."""
        with self._turn:
            self._look()
            return self._problem

    @property
    def screener(self) -> Screener:
        """The brand's rules, prepared once for every version."""
        with self._turn:
            self._look()
            self._screener = self._screener or Screener(self._folder.guide, self._folder.catalogue)
            return self._screener

    def _look(self) -> None:
        stamp = None
        try:
            stamp = self._stamp()
            if stamp == self._seen:
                return
            self._folder, self._screener, self._problem = read_brand(stamp[0]), None, ""
        except BrandError as error:
            if error.message != self._problem:
                self._problem = error.message
                self._notify(f"a change of the brand {self._id} is not taken: {error.message}")
        self._seen = stamp

    def _stamp(self) -> Stamp:
        """Where the brand is, and when each of its files was last written; 0 where there is none."""
        path = find_brand(self._id, self._workspace_brands)
        return path, tuple(_written_ns(path / name) for name in FILES)


def _written_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
