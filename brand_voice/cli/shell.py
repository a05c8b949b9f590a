"""What every command needs: the workspace opened, progress on stderr, our errors as two lines and an exit code."""

import functools
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ParamSpec, TypeVar

import typer

from brand_voice.errors import BrandVoiceError
from brand_voice.workspace import Workspace

if TYPE_CHECKING:
    from brand_voice.context import Context
    from brand_voice.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

WorkspaceOption = Annotated[
    Path, typer.Option("--workspace", "-w", envvar="BRAND_VOICE_WORKSPACE", help="Folder for everything that changes.")
]
BrandOption = Annotated[str, typer.Option("--brand", "-b", help="Id of the brand.")]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="Settings file; brand_voice.toml of the workspace by default.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

DEFAULT_WORKSPACE = Path("workspace")


def reports_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Turn our errors into two lines on stderr and their exit code, Ctrl-C into 130; anything else is a bug."""

    @functools.wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except BrandVoiceError as error:
            print(f"error: {error.message}\n  try: {error.remedy}", file=sys.stderr)
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt:
            print("\ninterrupted; what was finished is saved, the same command goes on from here", file=sys.stderr)
            raise typer.Exit(130) from None

    return guarded


def notify(line: str) -> None:
    """A line of progress, on stderr."""
    print(line, file=sys.stderr, flush=True)


def read_settings(workspace: Path, config: Path | None) -> "Settings":
    """The settings file named, or the workspace's own where there is one."""
    from brand_voice.settings import load

    own = Workspace(workspace).settings_file
    return load(config or (own if own.is_file() else None))


@contextmanager
def opened(workspace: Path, brand: str, settings: "Settings") -> Iterator["Context"]:
    """Open brand and store of a workspace for a stage."""
    from brand_voice.brand import load_brand
    from brand_voice.context import Context
    from brand_voice.store.store import Store

    place = Workspace(workspace.resolve())
    folder = load_brand(brand, place.brands)
    with Store.open(place.database) as store:
        yield Context(place, settings, folder, store, track, notify, waiting)


def track(items: Iterable[T], label: str, total: int) -> Iterator[T]:
    """Pass items through under a progress bar on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    if not total:
        yield from items
        return
    columns = (TextColumn("{task.description:>16}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield from progress.track(items, total=total, description=label)


@contextmanager
def waiting(label: str) -> Iterator[None]:
    """A bar that moves without telling how far, on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:>16}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        progress.add_task(label, total=None)
        yield


@contextmanager
def step_bar(label: str) -> Iterator[Callable[[int, int, float | None], None]]:
    """A bar for training: call with step, steps and loss."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description:>16}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[loss]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(label, total=None, loss="")

        def update(step: int, steps: int, loss: float | None) -> None:
            progress.update(task, completed=step, total=steps, loss=f"loss {loss:.3f}" if loss is not None else "")

        yield update
