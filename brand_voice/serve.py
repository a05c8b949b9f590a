"""The student behind an OpenAI-compatible server: vLLM as a supervised subprocess, never imported.

Two modes. `merged`: one adapter merged into the base, the CPU default; there LoRA switches compilation off and answers
several times more slowly. `lora`: adapters on one base, the GPU default. Where vLLM cannot be installed, `transformers
serve` runs the merged model behind the same interface.

vLLM's key guards only `/v1`, hence loopback by default; CORS is closed. A server counts as ready when every model it
serves has answered a completion, because loading may report success for a bad adapter path (vllm#18372).
"""

import http.client
import json
import os
import secrets
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationError

from brand_voice.address import ServerAddress, bound
from brand_voice.artifacts import read_manifest
from brand_voice.backends import (
    NO_THINKING,
    Plan,
    choose_backend,
    command,
    environment,
    has_gpu,
    lora_rank_limit,
    working_folder,
)
from brand_voice.chat import LOOPBACK
from brand_voice.errors import ServeError
from brand_voice.merge import adapter_rank, find_base, merged, usable_adapter
from brand_voice.process import SupervisedProcess
from brand_voice.prompts import student_prompt_hash
from brand_voice.records import AdapterManifest
from brand_voice.settings import Endpoint, ServeSettings

BASE_MODEL = "base"
"""Name the base is served under, beside or without adapters."""
STUDENT_CONCURRENCY = 64
"""Requests in flight that saturate a local engine; it queues what is beyond its batch."""
STUDENT_READ_TIMEOUT_S = 600.0
"""A full batch of a half-billion-parameter student on two cores takes minutes."""
POLL_S = 0.2
ANSWER_TIMEOUT_S = 30.0
LOAD_TIMEOUT_S = 120.0
TAIL_LINES = 8
_ANY_HOST = {"0.0.0.0": "127.0.0.1", "::": "::1"}
_NO_ANSWER = 0
_OK = http.HTTPStatus.OK


class StudentServer:
    """A running server: started here (closing ends it) or attached to (closing leaves it alone)."""

    def __init__(self, address: ServerAddress, process: SupervisedProcess | None = None) -> None:
        self.address = address
        self.published: Path | None = None
        """Where the address was published; removed on closing."""
        self._process = process

    def __enter__(self) -> "StudentServer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def base_url(self) -> str:
        """Root of the OpenAI protocol."""
        return self.address.base_url

    @property
    def models(self) -> tuple[str, ...]:
        """Names that can be asked: adapters, and `base` where it is served."""
        return self.address.models

    @property
    def is_attached(self) -> bool:
        """Whether another process started it."""
        return self._process is None

    @property
    def is_alive(self) -> bool:
        """Whether the server's process runs."""
        if self._process is not None:
            return self._process.exit_code is None
        return self.address.is_running

    def endpoint(self, model: str) -> Endpoint:
        """The endpoint of one of the served models.

        Raises:
            ServeError: it is not served here.
        """
        if model not in self.models:
            raise ServeError(
                f"the server at {self.base_url} serves {', '.join(self.models)}, not {model}",
                remedy="stop it and serve this adapter instead",
            )
        key = self.address.key
        return Endpoint(
            name="student",
            base_url=self.base_url,
            model=model,
            api_key=SecretStr(key) if key else None,
            read_timeout_s=STUDENT_READ_TIMEOUT_S,
            max_concurrency=STUDENT_CONCURRENCY,
            distillation_permitted=True,  # the student is ours
            knows_frequency_penalty=key is not None,  # `transformers serve` is the one without a key
            chat_template_kwargs=NO_THINKING,
        )

    def close(self) -> None:
        """End the server and its children if it was started here, and take its published address back."""
        if self.published is not None:
            self.published.unlink(missing_ok=True)
            self.published = None
        if self._process is not None:
            self._process.stop()


def start(
    base: Path | str,
    adapters: Mapping[str, Path],
    settings: ServeSettings,
    *,
    work: Path,
    log: Path,
    notify: Callable[[str], None],
) -> StudentServer:
    """Start a server for a base and its adapters, and wait until every model has answered.

    Args:
        base: folder or hub id of the base student.
        adapters: folders by the name to serve them under; `merged` mode takes one at most, none serves the base.
        settings: mode, address, memory and time limits.
        work: where merged models are kept.
        log: what the server prints is appended here.
        notify: told what takes time.

    Raises:
        ArtifactError: base or adapter missing, damaged, or not made for each other.
        ServeError: no backend, port in use, or the server died or was not ready in time.
    """
    port = _free_port(settings)
    plan = _plan(base, adapters, settings, work=work, notify=notify)
    if settings.host in _ANY_HOST:
        notify(f"listening on {settings.host}: the key guards only /v1, put a proxy with an allow-list in front")
    key = secrets.token_urlsafe(24) if plan.backend == "vllm" else None
    process = SupervisedProcess(
        command(plan, settings, port),
        env=environment(plan, settings, key),
        cwd=working_folder(plan, work),
        log=log,
    )
    address = ServerAddress(
        pid=process.pid,
        base_url=_base_url(settings.host, port),
        key=key,
        models=plan.models,
        lora_rank=plan.max_lora_rank if plan.loads_adapters else None,
        max_model_len=plan.max_model_len,
    )
    server = StudentServer(address, process)
    try:
        notify(f"starting {plan.backend} with {', '.join(plan.models)}; it prints to {log}")
        seconds = _wait_until_ready(address, process, settings.ready_timeout_s)
        notify(f"ready after {seconds:.0f} s")
    except BaseException:
        server.close()
        raise
    return server


def load_adapter(server: StudentServer, base: Path | str, folder: Path) -> None:
    """Load one more adapter into a running server, under its own name; return when it has answered.

    Requests for the others go on. A name is never loaded twice: vLLM would answer from the old one's cached prefixes.

    Raises:
        ArtifactError: damaged, or made for another base.
        ServeError: this server loads no adapters, or this one does not answer.
    """
    address, name = server.address, read_manifest(folder, AdapterManifest).name
    if name in address.models:
        return
    found = find_base(base, revision=read_manifest(folder, AdapterManifest).student_hash)
    usable_adapter(folder, found, prompt_hash=student_prompt_hash())
    if adapter_rank(folder) > (address.lora_rank or 0):
        raise ServeError(
            f"the server at {address.base_url} cannot take {name}: its highest rank is {address.lora_rank or 'none'}",
            remedy=f"brand-voice serve --brand {name.partition('@')[0]}",
        )
    wanted = {"lora_name": name, "lora_path": str(folder.resolve())}
    reply = _ask(address, "POST", "/v1/load_lora_adapter", body=wanted, timeout_s=LOAD_TIMEOUT_S)
    if reply.status != _OK or not _has_answered(address, name, timeout_s=LOAD_TIMEOUT_S):
        raise ServeError(
            f"{name} was not loaded: {reply.status} {reply.body[:300]}",
            remedy="look at the server's log, or start it anew",
        )
    server.address = address.model_copy(update={"models": (name, *address.models)})


def publish(server: StudentServer, server_file: Path) -> None:
    """Write the server's address and key where other processes of this user find them.

    Raises:
        ServeError: the file cannot be written.
    """
    partial = server_file.with_name(f".{server_file.name}.{os.getpid()}")
    try:
        partial.unlink(missing_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
            stream.write(server.address.model_dump_json())
        partial.replace(server_file)
    except OSError as exc:
        raise ServeError(
            f"{server_file} cannot be written: {exc.strerror}", remedy="free space, or make the workspace writable"
        ) from exc
    server.published = server_file


def published_address(server_file: Path) -> ServerAddress | None:
    """What is published, whether it answers or not."""
    try:
        return ServerAddress.model_validate_json(server_file.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def attach(server_file: Path) -> StudentServer | None:
    """The published server if it answers; a stale file is removed."""
    address = published_address(server_file)
    if address is None:
        server_file.unlink(missing_ok=True)
        return None
    guarded = "/v1/models" if address.key else "/health"  # `transformers serve` asks the hub for its list
    if address.is_running and _ask(address, "GET", guarded, timeout_s=ANSWER_TIMEOUT_S).status == _OK:
        return StudentServer(address)
    server_file.unlink(missing_ok=True)
    return None


def _plan(
    base: Path | str,
    adapters: Mapping[str, Path],
    settings: ServeSettings,
    *,
    work: Path,
    notify: Callable[[str], None],
) -> Plan:
    backend = choose_backend(settings)
    is_gpu = has_gpu()
    wants_lora = len(adapters) > 1 or (is_gpu and bool(adapters))
    is_lora = settings.mode == "lora" or (settings.mode == "auto" and wants_lora and backend == "vllm")
    if is_lora and backend != "vllm":
        raise ServeError("only vLLM serves adapters side by side", remedy="set serve.mode = 'merged'")
    if not is_lora and len(adapters) > 1:
        raise ServeError(
            f"{len(adapters)} adapters cannot be merged into one base: {', '.join(adapters)}",
            remedy="name one adapter, or let vLLM serve them: serve.mode = 'lora' (slow without a GPU)",
        )
    found = find_base(base, revision=_revision(adapters))
    work.mkdir(parents=True, exist_ok=True)
    model, name, rank = found.path, BASE_MODEL, settings.max_lora_rank
    for served_as, folder in adapters.items():
        manifest = usable_adapter(folder, found, prompt_hash=student_prompt_hash())
        rank = max(rank, adapter_rank(folder))
        if not is_lora:
            model, name = merged(found, folder, manifest.name, work=work, notify=notify), served_as
    return Plan(
        backend=backend,
        model=model,
        name=name,
        loras={served_as: folder.resolve() for served_as, folder in adapters.items()} if is_lora else {},
        max_lora_rank=lora_rank_limit(rank) if is_lora else rank,
        max_model_len=min(settings.max_model_len, found.max_positions),
        is_gpu=is_gpu,
        loads_adapters=is_lora and bool(adapters) and settings.host in LOOPBACK,
    )


def _revision(adapters: Mapping[str, Path]) -> str | None:
    """The hub revision the first adapter was trained on; `find_base` ignores it for a local folder."""
    return next((read_manifest(folder, AdapterManifest).student_hash for folder in adapters.values()), None)


def _free_port(settings: ServeSettings) -> int:
    """The configured port if nobody listens on it, or a free one."""
    remedy = "set serve.port to another port, or leave it out to take a free one"
    with bound(settings.host, settings.port, who="the engine", remedy=remedy) as probe:
        return int(probe.getsockname()[1])


def _base_url(host: str, port: int) -> str:
    host = _ANY_HOST.get(host, host)
    return f"http://[{host}]:{port}/v1" if ":" in host else f"http://{host}:{port}/v1"


class _Reply(NamedTuple):
    """What the server said; status 0 if it did not."""

    status: int
    body: str = ""


def _ask(address: ServerAddress, method: str, path: str, *, body: object = None, timeout_s: float) -> _Reply:
    """One request without proxies, which `http_proxy` would put even before loopback."""
    url = urlsplit(address.base_url)
    headers = {"Content-Type": "application/json"}
    if address.key:
        headers["Authorization"] = f"Bearer {address.key}"
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=timeout_s)
    try:
        content = None if body is None else json.dumps(body)
        connection.request(method, path, body=content, headers=headers)
        response = connection.getresponse()
        return _Reply(response.status, response.read().decode(errors="replace"))
    except (OSError, http.client.HTTPException):
        return _Reply(_NO_ANSWER)
    finally:
        connection.close()


def _wait_until_ready(address: ServerAddress, process: SupervisedProcess, timeout_s: float) -> float:
    """Wait for /health, then for a completion of every model; return the seconds it took."""
    started = time.monotonic()
    waiting = list(address.models)
    is_healthy = False
    while waiting:
        left_s = timeout_s - (time.monotonic() - started)
        if process.exits_within(POLL_S):
            raise _died(process, "while starting")
        if left_s <= 0:
            raise ServeError(
                f"the model server was not ready after {timeout_s:.0f} s; it printed:\n{process.tail(TAIL_LINES)}",
                remedy="raise serve.ready_timeout_s, or set serve.enforce_eager = true",
            )
        if not is_healthy:
            is_healthy = _ask(address, "GET", "/health", timeout_s=ANSWER_TIMEOUT_S).status == _OK
        elif _has_answered(address, waiting[0], timeout_s=left_s):
            waiting.pop(0)
    return time.monotonic() - started


def _has_answered(address: ServerAddress, model: str, *, timeout_s: float) -> bool:
    """Ask a model for one token; False while the server is not reachable."""
    turn = {"role": "user", "content": "ready?"}
    body = {"model": model, "messages": [turn], "max_tokens": 1, "chat_template_kwargs": NO_THINKING}
    reply = _ask(address, "POST", "/v1/chat/completions", body=body, timeout_s=timeout_s)
    if reply.status in (_NO_ANSWER, http.HTTPStatus.SERVICE_UNAVAILABLE):
        return False
    if reply.status != _OK or '"choices"' not in reply.body:
        raise ServeError(
            f"the server is up, but {model} does not answer: {reply.status} {reply.body[:300]}",
            remedy="build the adapter again with `brand-voice distill`, or check the base model",
        )
    return True


def _died(process: SupervisedProcess, when: str) -> ServeError:
    code = process.exit_code
    is_killed = code == -signal.SIGKILL
    return ServeError(
        f"the model server ended {when} ({'killed' if is_killed else f'exit code {code}'}); "
        f"{process.log} says:\n{process.tail(TAIL_LINES)}",
        remedy="free memory, or lower serve.kv_cache_gib" if is_killed else f"read {process.log} from its end upwards",
    )
