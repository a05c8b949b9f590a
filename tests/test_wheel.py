"""The wheel, installed elsewhere, brings its prompts and brands along."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_a_wheel_installed_elsewhere_lists_the_brands_and_renders_a_prompt(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, timeout=180)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert not [n for n in names if "base-corpus" in n]
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--target",
        str(tmp_path / "site"),
        str(wheel),
    ]
    subprocess.run(pip, check=True, capture_output=True, timeout=180)
    code = (
        "import brand_voice, pathlib; assert 'site' in brand_voice.__file__, brand_voice.__file__\n"
        "from brand_voice.brand import brand_ids, load_brand\n"
        "from brand_voice.prompts import student_messages\n"
        "from brand_voice.shipped import shipped\n"
        "from brand_voice.store.store import Store\n"
        "brand = load_brand('vela'); student_messages(brand.guide, brand.briefs[0])\n"
        "assert (shipped('data') / 'base-student' / 'model.safetensors').is_file()\n"
        "Store.open(pathlib.Path('w.db')).close()\n"
        "print(*brand_ids())"
    )
    told = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(tmp_path / "site"), "PATH": ""},
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert told.stdout.split() == ["fjellvik", "tidewater", "vela"]
