"""Open the app on a workspace: `python app.py --workspace DIR`, the same as `brand-voice app`."""

import argparse
from pathlib import Path

from brand_voice import settings
from brand_voice.errors import BrandVoiceError
from brand_voice.ui.app import run
from brand_voice.workspace import Workspace


def main() -> None:
    """Read the arguments and serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, default=Path("workspace"), help="folder for everything that changes")
    parser.add_argument("--brand", help="id of the brand to show first")
    parser.add_argument("--port", type=int, help="a fixed port; a free one by default")
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser window")
    args = parser.parse_args()
    workspace = Workspace(args.workspace.resolve())
    found = workspace.settings_file if workspace.settings_file.is_file() else None
    try:
        run(workspace, settings.load(found), brand=args.brand, port=args.port, opens_browser=not args.no_browser)
    except BrandVoiceError as error:
        parser.exit(error.exit_code, f"error: {error.message}\n  try: {error.remedy}\n")


if __name__ == "__main__":
    main()
