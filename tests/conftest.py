"""The heavy real things, made once: a tiny student, an adapter of it, and vLLM serving both merged."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import wait_until_gone
from tiny import tiny_adapter, tiny_student

from brand_voice.brand import BrandFolder, load_brand
from brand_voice.serve import StudentServer, start
from brand_voice.settings import ServeSettings

pytest_plugins = ["launched_app", "gateways"]


@pytest.fixture(scope="session")
def tidewater() -> BrandFolder:
    return load_brand("tidewater")


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_student(tmp_path_factory.mktemp("student") / "tiny")


@pytest.fixture(scope="session")
def adapter(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_adapter(tmp_path_factory.mktemp("adapters"), base)


@pytest.fixture(scope="session")
def server(base: Path, adapter: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudentServer]:
    """The one vLLM of the whole test run: eager, the adapter merged."""
    work = tmp_path_factory.mktemp("serve")
    settings = ServeSettings(mode="merged", backend="vllm", enforce_eager=True)
    log = work / "server.log"
    with start(base, {adapter.name: adapter}, settings, work=work / "merged", log=log, notify=print) as running:
        yield running
    wait_until_gone(running.address.pid)
