"""How a brand's models are shown: HTML made here of escaped names and numbers; no text that a model wrote is in it."""

import html
import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from brand_voice.evidence import MEASURES, Decision, Difference, Measure
from brand_voice.live import Promotion
from brand_voice.records import AdapterManifest
from brand_voice.registry import Filed
from brand_voice.runs import Step
from brand_voice.ui.charts import Axes, Line, Point, around, finite, line_chart
from brand_voice.ui.copy_view import spoken
from brand_voice.ui.stock import Curve, Stock

DECISIONS: dict[Decision, str] = {"ready": "Ready", "ready_except": "Ready except", "not_yet": "Not yet"}
ACTS = {"promote": "Promoted", "rollback": "Rolled back", "canary": "Canary started", "end_canary": "Canary ended"}
NONE = "–"
MODELS_CSS = """
.bv-filled:not(:has(section)) { display: none !important; }
body:has(.bv-header:is([data-role=""], [data-role=copywriter], [data-role=reviewer])) .bv-admin {
  display: none !important; }
.bv-models { display: flex; flex-direction: column; gap: 10px; }
.bv-models h2 { font-size: 15px; font-weight: 600; margin: 0; overflow-wrap: anywhere; }
.bv-models :is(p, figure, dl, ul) { margin: 0; font-size: 14px; overflow-wrap: anywhere; }
.bv-models .bv-name { font-size: 16px; font-weight: 600; }
.bv-models :is(small, .bv-soft, dt, thead th, figcaption) { color: var(--body-text-color-subdued); }
.bv-alarm { border-left: 3px solid #c2362b; padding-left: 12px; }
.bv-models dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 3px 16px; font-size: 13px; }
.bv-models dd { margin: 0; overflow-wrap: anywhere; }
.bv-models ul { padding-left: 20px; }
.bv-models details > * + * { margin-top: 10px; }
.bv-models summary { font-size: 14px; cursor: pointer; }
.bv-models code { font-size: 13px; overflow-wrap: anywhere; }
.bv-scroll { overflow-x: auto; }
.bv-scroll table { width: 100%; font-size: 13px; border-collapse: collapse; margin: 0 !important; }
.bv-scroll :is(table, thead, tbody, tr) { border: 0 !important; background: none !important; }
.bv-scroll :is(th, td) { text-align: left; padding: 4px 14px 4px 0 !important; border: 0 !important; font-weight: 400;
  border-bottom: 1px solid var(--border-color-primary) !important; vertical-align: top; }
.bv-scroll :is(.bv-number, .bv-fixed, small, span) { white-space: nowrap; }
.bv-mark { border: 1px solid currentColor; border-radius: 999px; padding: 0 7px; margin-left: 6px; font-size: 12px;
  white-space: nowrap; }
.bv-models figcaption { font-size: 13px; }
.bv-models progress { width: 100%; height: 8px; accent-color: var(--body-text-color); }
.bv-chart { display: block; width: 100%; max-width: 440px; height: auto; --bv-blue: #2f6fb0; --bv-green: #2e7d4f;
  --bv-brown: #8f5d10; }
.dark .bv-chart { --bv-blue: #7fb2e5; --bv-green: #7cc49a; --bv-brown: #d6a559; }
.bv-chart text { font-size: 13px; fill: var(--bv-line, var(--body-text-color-subdued)); }
.bv-chart path { fill: none; stroke: var(--bv-line); stroke-width: 2; stroke-linejoin: round; }
.bv-chart .bv-grid { stroke: var(--border-color-primary); stroke-width: 1; }
.bv-chart circle { fill: var(--bv-line); }
.bv-line-0 { --bv-line: var(--body-text-color); }
.bv-line-1 { --bv-line: var(--bv-blue); }
.bv-line-2 { --bv-line: var(--bv-green); }
.bv-line-3 { --bv-line: var(--bv-brown); }
.bv-line-1 path { stroke-dasharray: 7 4; }
.bv-line-2 path { stroke-dasharray: 2 4; }
.bv-line-3 path { stroke-dasharray: 10 3 2 3; }
.bv-asked:has(:is(textarea, input):disabled) { display: none !important; }
.bv-foot { align-items: flex-end; }
"""


class Cell(NamedTuple):
    """A table's cell: HTML of our own making."""

    content: str
    looks: str = ""


def standing(stock: Stock, root: str) -> str:
    """What is live and since when; `root` is the folder of the adapters."""
    live, canary, share = stock.standing
    known = {manifest.name for manifest in stock.adapters}
    lines = []
    if live is None:
        after = "the newest adapter answers." if stock.adapters else "there is nothing to promote."
        lines.append(f"<p>Nothing is promoted yet: {after}</p>")
    else:
        lines.append(f'<p class="bv-name">{html.escape(live)}</p>')
        lines.append(f"<p>{_since(stock.since)}</p>" if stock.since else "")
    if canary is not None:
        lines.append(f"<p>Canary: <b>{html.escape(canary)}</b> gets {share:.0%} of the traffic.</p>")
    lines += [_gone(name, root) for name in (live, canary) if name is not None and name not in known]
    return _section("Live", lines)


def _since(change: Promotion) -> str:
    forced = ", forced" if change.is_forced else ""
    reason = f": {html.escape(change.reason)}" if change.reason else ""
    return f"{ACTS[change.act]} {moment(change.created_at)} by {html.escape(change.by)}{forced}{reason}."


def _gone(name: str, root: str) -> str:
    return (
        f'<p class="bv-alarm">The folder of {html.escape(name)} is gone from <code>{html.escape(root)}</code>: it '
        "cannot be served again. To do: put it back from a backup, roll back, or promote another adapter.</p>"
    )


def adapters(stock: Stock) -> str:
    """The adapters in a table; without any, what to do."""
    if not stock.adapters:
        return _section("Adapters", [f"<p>{_nothing_yet(stock)}</p>"])
    head = ("Adapter", "Decision", "Snapshot", "Pairs", "Validation loss", "Trained")
    rows = [_adapter_row(stock, manifest) for manifest in stock.adapters]
    return _section("Adapters", [table("Adapters", head, rows)])


def _nothing_yet(stock: Stock) -> str:
    name = html.escape(stock.name)
    if not stock.approved:
        return f"{name} has no adapter yet, and no approved copy to train one on. To do: approve drafts under Review."
    return f"{name} has no adapter yet. {stock.approved:,} approved texts can be learned. To do: press Train."


def _adapter_row(stock: Stock, manifest: AdapterManifest) -> list[Cell]:
    filed = stock.reports.get(manifest.name)
    decision = f"{DECISIONS[filed.report.decision]} <small>{_against(filed)}</small>" if filed else "No report"
    return [
        Cell(f"<span>{html.escape(_short(manifest.name))}</span>{marks(stock, manifest.name)}"),
        Cell(decision),
        Cell(html.escape(_short(manifest.snapshot)), "bv-fixed"),
        Cell(_count(manifest.training.get("pairs")), "bv-number"),
        Cell(_figure(manifest.metrics.get("validation_loss")), "bv-number"),
        Cell(html.escape(manifest.created_at[:10]), "bv-fixed"),
    ]


def marks(stock: Stock, name: str) -> str:
    """What an adapter is to the traffic."""
    live, canary, share = stock.standing
    told = {live: "live", canary: f"canary {share:.0%}"}.get(name)
    return f'<span class="bv-mark">{told}</span>' if told else ""


def snapshots(stock: Stock) -> str:
    """The snapshots with their counts."""
    if not stock.snapshots:
        return _section("Snapshots", ["<p>None yet. Training freezes the approved copy first.</p>"])
    splits = list(dict.fromkeys(split for manifest in stock.snapshots for split in manifest.counts))
    head = ("Snapshot", *(spoken(split) for split in splits), "Left out", "Frozen")
    rows = [
        [
            Cell(html.escape(_short(manifest.name))),
            *(Cell(_count(manifest.counts.get(split)), "bv-number") for split in splits),
            Cell(f"{sum(manifest.left_out.values()):,}", "bv-number"),
            Cell(html.escape(manifest.created_at[:10]), "bv-fixed"),
        ]
        for manifest in stock.snapshots
    ]
    return _section("Snapshots", [table("Snapshots", head, rows)])


def history(stock: Stock) -> str:
    """Every change of what is live."""
    if not stock.promotions:
        return _section("History", ["<p>Nothing was promoted so far.</p>"])
    head = ("When", "What", "By", "Why")
    rows = [
        [
            Cell(moment(change.created_at), "bv-fixed"),
            Cell(_what(change)),
            Cell(html.escape(change.by)),
            Cell(html.escape(change.reason) or NONE),
        ]
        for change in stock.promotions
    ]
    return _section("History", [table("History of promotions", head, rows)])


def _what(change: Promotion) -> str:
    """A change in short; the adapter that it is about, without the brand's name."""
    adapter = html.escape(_short(change.canary if change.act == "canary" and change.canary else change.adapter))
    told = {"canary": f", {change.share:.0%}", "end_canary": f", {adapter} alone"}.get(change.act, f": {adapter}")
    about = f": {adapter}" if change.act == "canary" else ""
    return f"{ACTS[change.act]}{about}{told}{' (forced)' if change.is_forced else ''}"


def focus(stock: Stock, manifest: AdapterManifest | None, curve: Curve | None) -> str:
    """One adapter: its report, its facts, its loss curve."""
    if manifest is None:
        return ""
    filed = [each for each in reversed(stock.filed) if each.report.adapter == manifest.name]
    told = report(filed[0]) if filed else [f"<p>{no_report(manifest)}</p>"]
    told += [_folded(each) for each in filed[1:]]
    drawn = losses(curve) if curve else '<p class="bv-soft">Its loss curve cannot be read.</p>'
    return _section(html.escape(manifest.name) + marks(stock, manifest.name), [*told, drawn, facts(manifest)])


def no_report(manifest: AdapterManifest) -> str:
    """What to do where an adapter has no report."""
    command = f"brand-voice evaluate --brand {manifest.brand} --adapter {manifest.name}"
    return (
        "No report yet, so nobody knows how good it is. To do: press Evaluate, or in a terminal: "
        f"<code>{html.escape(command)}</code>"
    )


def report(filed: Filed) -> list[str]:
    """A report's decision and what it rests on."""
    found = filed.report
    decided = f"{_against(filed)}, {moment(found.created_at)}, golden set {html.escape(found.golden)}"
    before = found.decided_before
    worn = f", whose briefs were put to {before} other adapter{'s' * (before > 1)} before" if before else ""
    spared = "".join(f"<li>{html.escape(each)}</li>" for each in found.exceptions)
    head = ("Measure", "This adapter", "Reference", "Difference, 95% interval", "Margin", "So")
    return [
        f'<p class="bv-name">{DECISIONS[found.decision]}</p>',
        f"<p>{html.escape(found.sentence)}</p>",
        f"<ul>{spared}</ul>" if spared else "",
        table("Differences", head, [_difference_row(each) for each in found.differences]),
        f'<p class="bv-soft">{decided}{worn}.</p>',
    ]


def _folded(filed: Filed) -> str:
    """An earlier report against somebody else: the gate may go by that one."""
    summary = f"{DECISIONS[filed.report.decision]} {_against(filed)}"
    return f"<details><summary>{summary}</summary>{''.join(report(filed))}</details>"


def _difference_row(each: Difference) -> list[Cell]:
    verdict = "no worse" if each.is_no_worse else "worse" if each.is_worse else "open"
    interval = f"{each.change * 100:+.1f} points <small>{each.low * 100:+.1f} to {each.high * 100:+.1f}</small>"
    is_taken = math.isfinite(each.low) and math.isfinite(each.high)
    return [
        Cell(MEASURES[each.measure]),
        Cell(_share(each.candidate), "bv-number"),
        Cell(_share(each.reference), "bv-number"),
        Cell(interval if is_taken else "not taken", "bv-number"),
        Cell(f"{each.margin * 100:g} points", "bv-number"),
        Cell(verdict if is_taken else NONE),
    ]


def facts(manifest: AdapterManifest) -> str:
    """What an adapter's manifest says."""
    training, metrics = manifest.training, manifest.metrics
    how = ("epochs", "steps", "learning_rate", "lora_rank", "seed")
    rows = (
        ("Base", manifest.student),
        ("Snapshot", manifest.snapshot),
        ("Pairs", _count(training.get("pairs"))),
        ("Training", ", ".join(f"{spoken(key).lower()} {_plain(training[key])}" for key in how if key in training)),
        ("Took", _duration(metrics.get("seconds"))),
        ("Guide", manifest.guide_version),
        ("Trained", moment(manifest.created_at)),
    )
    return f"<dl>{''.join(f'<dt>{name}</dt><dd>{html.escape(value)}</dd>' for name, value in rows)}</dl>"


def losses(curve: Curve, *, steps: int | None = None) -> str:
    """A loss curve with its last figures in words; `steps` is where it will end, if it goes on."""
    lines = [Line("training", curve.training), Line("validation", curve.validation, has_marks=True)]
    points: list[Point] = [*curve.training, *curve.validation]
    ends = [f"{line.name} {line.points[-1][1]:.3f}" for line in lines if line.points]
    caption = f"Loss, nats per token: {', '.join(ends)} {'so far' if steps else 'at the end'}."
    last = max(x for x, _ in points)
    axes = Axes(caption, "step", (0, steps or last), around([y for _, y in points]))
    return f"<figure>{line_chart(lines, axes)}<figcaption>{caption}</figcaption></figure>"


def training(steps: Sequence[Step]) -> str:
    """A run under way: how far, how long still, and its loss so far."""
    if not steps:
        return _section("", ["<progress aria-label='Training'></progress>"])
    last = steps[-1]
    bar = f"<progress aria-label='Training' value='{last.step}' max='{last.steps}'></progress>"
    losses_so_far = finite((step.step, step.loss) for step in steps)
    drawn = losses(Curve(losses_so_far, ()), steps=last.steps) if losses_so_far else ""
    return _section("", [bar, drawn])


def progress(steps: Sequence[Step]) -> str:
    """A run under way, in words."""
    if not steps:
        return "Freezing the approved copy and loading the student …"
    last = steps[-1]
    loss = f", loss {last.loss:.3f}" if last.loss is not None else ""
    left = f", about {_roughly(last.seconds_left)} left" if last.seconds_left is not None else ""
    return f"Step {last.step} of {last.steps}{loss}{left} …"


def generations(stock: Stock) -> str:
    """How good the adapters are, one after the other, and what reviewers had to do: a chart and a table of it."""
    oldest_first = list(enumerate(reversed(stock.adapters), start=1))
    measured = [(number, manifest.name) for number, manifest in oldest_first if _has_figures(stock, manifest.name)]
    if not measured:
        return ""
    columns = {name: [_generation(stock, adapter)[name] for _, adapter in measured] for name in GENERATION}
    lines = [
        Line(name, finite(zip([number for number, _ in measured], shares, strict=True)), has_marks=True)
        for name, shares in columns.items()
    ]
    label = "Shares by generation of adapter; the table below has the figures"
    chart = line_chart(lines, Axes(label, "generation", (1, len(oldest_first)), (0, 1), is_share=True))
    head = ("Generation", *(spoken(name) for name in GENERATION))
    rows = [
        [
            Cell(f"{number} · {html.escape(_short(adapter))}"),
            *(Cell(_share(columns[name][place]), "bv-number") for name in GENERATION),
        ]
        for place, (number, adapter) in enumerate(measured)
    ]
    note = "Shares of texts, by each adapter's newest report; untouched: of its reviewed texts, approved as they were."
    return _section(
        "Generations", [f"<figure>{chart}</figure>", table("Generations", head, rows), f'<p class="bv-soft">{note}</p>']
    )


GENERATION = ("publishable", "truth", "voice", "untouched")


def _generation(stock: Stock, adapter: str) -> dict[str, float | None]:
    filed, approved = stock.reports.get(adapter), stock.untouched.get(adapter)
    measures: tuple[Measure, ...] = ("all_pass", "truth", "voice")
    found = [filed.report.difference(measure) if filed else None for measure in measures]
    shares = [each.candidate if each else None for each in found]
    return dict(zip(GENERATION, [*shares, approved.share if approved else None], strict=True))


def _has_figures(stock: Stock, adapter: str) -> bool:
    return any(share is not None for share in _generation(stock, adapter).values())


def table(label: str, head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """A table that scrolls sideways where it is too wide, by keyboard too; the first column names the row."""
    first, *others = head
    names = f"<th scope='col'>{first}</th>" + "".join(f"<th scope='col'>{name}</th>" for name in others)
    body = "".join(f"<tr>{_cells(row)}</tr>" for row in rows)
    return (
        f"<div class='bv-scroll' role='region' aria-label='{html.escape(label)}' tabindex='0'>"
        f"<table><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cells(row: Sequence[Cell]) -> str:
    first, *others = row
    rest = "".join(f"<td class='{cell.looks}'>{cell.content}</td>" for cell in others)
    return f"<th scope='row' class='{first.looks}'>{first.content}</th>{rest}"


def _section(title: str, parts: Iterable[str]) -> str:
    heading = f"<h2>{title}</h2>" if title else ""
    return f"<section class='bv-models'>{heading}{''.join(parts)}</section>"


def moment(at: str) -> str:
    """A time of day as a person reads it."""
    return f"{html.escape(at[:16].replace('T', ' '))} UTC"


def _against(filed: Filed) -> str:
    against = filed.report.against
    return f"against {html.escape(against if '@' in against else spoken(against).lower())}"


def _short(name: str) -> str:
    """A name without its brand, where all are of one brand."""
    return name.partition("@")[2] or name


def _share(share: float | None) -> str:
    return f"{share:.0%}" if share is not None and math.isfinite(share) else NONE


def _count(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else NONE


def _figure(value: float | None) -> str:
    return f"{value:.3f}" if value is not None and math.isfinite(value) else NONE


def _plain(value: Any) -> str:
    """A setting: 3 and 3.0 are the same."""
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _roughly(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 60 else f"{math.ceil(seconds / 60)} min"


def _duration(seconds: float | None) -> str:
    if seconds is None or not math.isfinite(seconds):
        return NONE
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
