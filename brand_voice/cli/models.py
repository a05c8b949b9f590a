"""Commands for the student: distill, serve, evaluate, and the demo of the whole loop."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from brand_voice.cli.shell import (
    DEFAULT_WORKSPACE,
    BrandOption,
    ConfigOption,
    JsonOption,
    WorkspaceOption,
    notify,
    opened,
    read_settings,
    reports_errors,
    step_bar,
)

if TYPE_CHECKING:
    from brand_voice.serve import StudentServer
    from brand_voice.workspace import Workspace

app = typer.Typer()
PreferenceOption = Annotated[
    Literal["dpo"] | None, typer.Option(help="Train further on edits: the edited text over the original.")
]
AdapterOption = Annotated[str | None, typer.Option(help="An adapter; the newest by default.")]


@app.command()
@reports_errors
def distill(
    brand: BrandOption,
    student: Annotated[
        str | None, typer.Option(help="Folder or hub id of the base; the shipped one by default.")
    ] = None,
    snapshot: Annotated[str | None, typer.Option(help="A snapshot; the newest by default.")] = None,
    epochs: Annotated[float | None, typer.Option(min=0.01, help="Passes over the data.")] = None,
    max_steps: Annotated[int | None, typer.Option(min=1, help="Stop after this many steps.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of this training.")] = None,
    preference: PreferenceOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    config: ConfigOption = None,
) -> None:
    """Train a LoRA on the newest snapshot with TRL; the adapter gets a name of its own."""
    from brand_voice.loop import train, train_further

    settings = read_settings(workspace, config)
    changed = {"epochs": epochs, "max_steps": max_steps, "seed": seed}
    training = settings.training.model_copy(update={k: v for k, v in changed.items() if v is not None})
    settings = settings.model_copy(update={"training": training, "student": student or settings.student})
    with opened(workspace, brand, settings) as context, step_bar("distill") as on_step:
        make = train_further if preference else train
        manifest = make(context, snapshot_name=snapshot, on_step=on_step)
    figures = ", ".join(f"{k} {v}" for k, v in manifest.metrics.items())
    typer.echo(manifest.name)
    notify(f"distill: {figures}")


@app.command()
@reports_errors
def serve(
    brand: BrandOption,
    adapter: Annotated[
        list[str] | None,
        typer.Option(help="An adapter; may be repeated; the live one by default, else the newest."),
    ] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65_535, help="A free one by default.")] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    config: ConfigOption = None,
) -> None:
    """Serve the brand's own endpoint until Ctrl-C; `write`, `evaluate` and `app` find the engine behind it.

    A promotion costs the endpoint's own clients nothing. With merged weights it ends the former engine, though, and a
    `write` or `evaluate` under way there fails; run again, `write` does only what is missing. The app moves by itself.
    """
    from brand_voice.gateway.run import run

    settings = read_settings(workspace, config)
    if port is not None:
        settings = settings.model_copy(update={"gateway": settings.gateway.model_copy(update={"port": port})})
    with opened(workspace, brand, settings) as context:
        run(context, adapter or ())


@app.command()
@reports_errors
def evaluate(
    brand: BrandOption,
    adapter: AdapterOption = None,
    against: Annotated[str, typer.Option(help="teacher, base, few-shot, or another adapter.")] = "teacher",
    samples: Annotated[int, typer.Option(min=1, max=20, help="Texts for each golden brief.")] = 3,
    new_golden: Annotated[
        bool, typer.Option("--new-golden", help="Freeze today's held-out briefs as the golden set.")
    ] = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decide on held-out briefs whether an adapter is ready, and save the report."""
    from brand_voice.assess import Question, assess
    from brand_voice.evaluate import markdown

    against = "few_shot" if against == "few-shot" else against
    question = Question(adapter, against, samples, new_golden)
    with opened(workspace, brand, read_settings(workspace, config)) as context:
        assessed = assess(context, question)
    typer.echo(assessed.report.model_dump_json(indent=2) if as_json else markdown(assessed.report))
    notify(f"report: {assessed.folder}")


@app.command()
@reports_errors
def calibrate(
    brand: BrandOption,
    adapter: AdapterOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure on validation briefs what the student's certainty tells, and set the cascade's threshold by it."""
    from brand_voice.calibrate import calibrate

    with opened(workspace, brand, read_settings(workspace, config)) as context:
        measured = calibrate(context, adapter)
        notify(f"saved in {context.workspace.calibrations / measured.adapter}.json")
    typer.echo(measured.model_dump_json(indent=2) if as_json else f"{measured.adapter}: {measured.sentence}")


@app.command()
@reports_errors
def demo(
    brand: BrandOption = "tidewater",
    ui: Annotated[bool, typer.Option("--ui/--no-ui", help="Open the app at the end.")] = True,
    limit: Annotated[int | None, typer.Option(min=1, help="Briefs at most.")] = None,
    max_steps: Annotated[int | None, typer.Option(min=1, help="Training steps at most.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65_535, help="Port of the app.")] = None,
    workspace: WorkspaceOption = Path("workspace/demo"),
    config: ConfigOption = None,
) -> None:
    """Run the whole loop on the recorded teacher and the shipped student, print the report, open the app."""
    from brand_voice.demo import run

    settings = read_settings(workspace, config)
    if max_steps is not None:
        training = settings.training.model_copy(update={"max_steps": max_steps})
        settings = settings.model_copy(update={"training": training})

    def open_app(place: "Workspace", server: "StudentServer") -> None:
        from brand_voice.ui.app import run as run_app

        run_app(place, settings, brand=brand, host="127.0.0.1", port=port, opens_browser=True, student=server)

    with opened(workspace, brand, settings) as context:
        run(context, limit=limit, bar=step_bar, show=typer.echo, open_app=open_app if ui else None)
