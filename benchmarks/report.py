"""A benchmark's result as Markdown: titled tables with the sentences that say what was measured."""

from collections.abc import Sequence
from typing import NamedTuple


class Table(NamedTuple):
    """One table of the report."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    """Sentences below the table: definitions, what is left out."""

    def markdown(self) -> str:
        """Title, table, notes; the first column is text, the others are figures."""
        align = ["---", *["---:"] * (len(self.header) - 1)]
        lines = [_row(self.header), _row(align), *map(_row, self.rows)]
        return "\n\n".join([f"## {self.title}", "\n".join(lines), *self.notes])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
