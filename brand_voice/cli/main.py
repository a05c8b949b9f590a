"""`brand-voice`: one command a stage, in the order of the loop."""

import os

import typer

from brand_voice import __version__
from brand_voice.cli import data, models, people, refresh, registry, rules, staff

app = typer.Typer(
    name="brand-voice",
    help="Own your brand's voice: a teacher writes, people approve, a small student learns and serves.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for group in (data.app, people.app, rules.app, models.app, refresh.app, registry.app, staff.app):
    app.registered_commands += group.registered_commands
    app.registered_groups += group.registered_groups


def _version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(version: bool = typer.Option(False, "--version", callback=_version, is_eager=True)) -> None:
    """Own your brand's voice: a teacher writes, people approve, a small student learns and serves."""


def main() -> None:
    """Run the command line; libraries are told not to phone home."""
    for name in ("HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK", "VLLM_NO_USAGE_STATS"):
        os.environ.setdefault(name, "1")
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    app()
