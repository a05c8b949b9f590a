"""Where the package's own `prompts/` and `data/` lie: beside the checkout, or inside an installed wheel."""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def shipped(kind: str) -> Path:
    """The shipped folder `kind` ("prompts" or "data"), read-only."""
    inside = _PACKAGE / "shipped_files" / kind
    return inside if inside.is_dir() else _PACKAGE.parent / kind
