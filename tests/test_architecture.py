"""Imports point down the floors, never sideways and never in a circle."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "brand_voice"
FLOORS: tuple[set[str], ...] = (
    {"__init__", "errors"},
    {"records", "shipped"},
    {
        "guide",
        "settings",
        "artifacts",
        "answer_files",
        "workspace",
        "protocol",
        "process",
        "invent",
        "rates",
        "people",
        "budget",
        "daemons",
        "live",
        "api_keys",
        "address",
        "resample",
    },
    {
        "brand",
        "brief_files",
        "prompts",
        "chat",
        "recorded",
        "screen",
        "store",
        "merge",
        "backends",
        "rename",
        "guide_text",
        "evidence",
        "weighting",
    },
    {"leakage", "current_brand"},
    {
        "generate",
        "adopt",
        "review",
        "vote",
        "snapshot",
        "distill",
        "golden",
        "figures",
        "decision",
        "registry",
        "serve",
        "pretrain",
        "voice",
        "suggest",
        "amend",
        "gate",
        "judge",
        "effort",
        "economics",
        "handover",
        "calibration",
    },
    {"context", "desk", "evaluate", "report", "preference", "ballots"},
    {"promotion"},
    {"loop", "write"},
    {"student", "rules", "samples", "around", "runs", "teacher", "next_briefs"},
    {"cascade"},
    {"assess", "calibrate", "cascade_batch"},
    {"demo", "refresh", "gateway"},
    {"ui"},
    {"cli"},
)
FLOOR_OF = {name: height for height, names in enumerate(FLOORS) for name in names}


def unit_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_units(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        modules = []
        if isinstance(node, ast.ImportFrom) and node.module:
            modules = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        for module in modules:
            parts = module.split(".")
            if parts[0] == "brand_voice" and len(parts) > 1 and parts[1] in FLOOR_OF:
                found.add(parts[1])
    return found


FILES = sorted(PACKAGE.rglob("*.py"))


def test_every_module_has_a_floor() -> None:
    assert {unit_of(path) for path in FILES} == set(FLOOR_OF)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_imports_point_down(path: Path) -> None:
    here = unit_of(path)
    upward = {name for name in imported_units(path) - {here} if FLOOR_OF[name] >= FLOOR_OF[here]}
    assert not upward, f"{here} (floor {FLOOR_OF[here]}) imports {upward}"


def test_vllm_is_never_imported_and_heavy_libraries_only_inside_functions() -> None:
    heavy = {"torch", "trl", "peft", "transformers", "datasets", "sklearn", "vllm"}
    for path in FILES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        typing_only = {n for node in ast.walk(tree) if _is_type_checking(node) for n in ast.walk(node)}
        for node in tree.body:
            for inner in [node] if isinstance(node, ast.Import | ast.ImportFrom) else []:
                names = [inner.module] if isinstance(inner, ast.ImportFrom) else [a.name for a in inner.names]
                assert not {str(n).split(".")[0] for n in names} & heavy, f"{path.name} imports {names} at its top"
        everywhere = {n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)} - typing_only
        assert not any("vllm" in ast.unparse(n).split() for n in everywhere), path.name


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
