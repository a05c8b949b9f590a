import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from processes import living, wait_until_gone

from brand_voice.artifacts import read_manifest, write_manifest
from brand_voice.chat import Chat
from brand_voice.errors import ArtifactError, BrandVoiceError, ChatError, ServeError
from brand_voice.generate import Request, generate
from brand_voice.merge import MergedManifest, find_base, merged
from brand_voice.process import SupervisedProcess
from brand_voice.prompts import student_messages
from brand_voice.records import AdapterManifest, Message, Sampling
from brand_voice.serve import StudentServer, attach, publish, start
from brand_voice.settings import ServeSettings


def launch(base, adapters, tmp_path, **settings) -> StudentServer:
    chosen = ServeSettings.model_validate({"mode": "merged", "enforce_eager": True} | settings)
    return start(base, adapters, chosen, work=tmp_path / "merged", log=tmp_path / "server.log", notify=print)


@pytest.fixture
def copied(base: Path, adapter: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A base and an adapter that a test may damage."""
    shutil.copytree(base, tmp_path / "base")
    shutil.copytree(adapter, tmp_path / adapter.name)
    return tmp_path / "base", tmp_path / adapter.name


# the running server


def test_the_adapter_answers_under_its_name(server, adapter, tidewater):
    assert server.models == (adapter.name,) and server.is_alive
    endpoint = server.endpoint(adapter.name)
    assert endpoint.chat_template_kwargs == {"enable_thinking": False}
    with Chat(endpoint) as chat:
        chat.check()
        completion = chat.complete(student_messages(tidewater.guide, tidewater.briefs[0]), Sampling(seed=4))
    assert completion.text and completion.usage.completion_tokens > 1
    with pytest.raises(ServeError, match="not base"):
        server.endpoint("base")
    keyless = StudentServer(server.address.model_copy(update={"key": None}))
    assert endpoint.knows_frequency_penalty and not keyless.endpoint(adapter.name).knows_frequency_penalty


def test_a_wrong_key_is_refused_and_no_foreign_page_may_read_an_answer(server, adapter):
    endpoint = server.endpoint(adapter.name).model_copy(update={"api_key": None})
    with Chat(endpoint) as chat, pytest.raises(ChatError, match="401"):
        chat.check()
    url = urlsplit(server.base_url)
    assert url.hostname == "127.0.0.1"
    connection = http.client.HTTPConnection(url.hostname, url.port)
    connection.request("GET", "/health", headers={"Origin": "https://evil.example"})
    response = connection.getresponse()
    assert response.status == 200 and response.getheader("Access-Control-Allow-Origin") is None
    key = server.address.key
    assert not any(key in " ".join(process.cmdline()) for process in living(server.address.pid))


def test_seeded_requests_of_more_than_one_batch_do_not_end_the_engine(server, adapter, tidewater):
    """vLLM 0.32 on a CPU: "CPU Generator does not use offset" when a seeded request's prompt is split over batches."""
    seeded = [
        Request(
            draft_id=brief.id,
            brief=brief,
            messages=student_messages(tidewater.guide, brief),
            candidate=number,
            author="student",
        )
        for number, brief in enumerate(tidewater.briefs[:96])
    ]
    with Chat(server.endpoint(adapter.name)) as chat:
        drafts = list(generate(seeded, chat, Sampling(seed=1, max_new_tokens=200)))
    assert len(drafts) == len(seeded) and server.is_alive
    assert {draft.failure for draft in drafts} <= {None, "cut_off"}


def test_the_served_prompt_has_the_token_ids_of_training(server, adapter, base, tidewater):
    from transformers import AutoTokenizer

    messages = student_messages(tidewater.guide, tidewater.briefs[3])
    tokenizer = AutoTokenizer.from_pretrained(base)
    turns = [m.model_dump() for m in messages]
    trained = tokenizer.apply_chat_template(turns, add_generation_prompt=True, enable_thinking=False)["input_ids"]
    url = urlsplit(server.base_url)
    connection = http.client.HTTPConnection(url.hostname, url.port)
    body = json.dumps({"model": adapter.name, "messages": turns})
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {server.address.key}"}
    connection.request("POST", "/tokenize", body=body, headers=headers)
    assert json.loads(connection.getresponse().read())["tokens"] == trained


def test_a_published_server_is_found_by_another_process_and_only_this_user(server, tmp_path):
    server_file = tmp_path / "server.json"
    assert attach(server_file) is None
    publish(server, server_file)
    server.published = None  # the session's server outlives this folder
    assert server_file.stat().st_mode & 0o777 == 0o600
    found = attach(server_file)
    assert found is not None and found.address == server.address
    found.close()
    assert server.is_alive


@pytest.mark.parametrize("damage", ["dead", "silent", "garbage"])
def test_a_stale_server_file_is_removed(damage, server, tmp_path):
    server_file = tmp_path / "server.json"
    gone = subprocess.Popen(["true"])
    gone.wait()
    with socket.create_server(("127.0.0.1", 0)) as free:
        silent = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    changes = {"dead": {"pid": gone.pid}, "silent": {"base_url": silent}, "garbage": {"pid": "x"}}[damage]
    server_file.write_text(json.dumps(server.address.model_dump() | changes))
    assert attach(server_file) is None
    assert not server_file.exists()


# what is refused before anything starts


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ("config.json", "is not a model"),
        ("model.safetensors", "no \\*.safetensors"),
        ("tokenizer.json", "no tokenizer"),
    ],
)
def test_a_folder_that_is_not_a_model_is_refused_at_once(copied, tmp_path, missing, told):
    base, _ = copied
    (base / missing).unlink()
    with pytest.raises(ArtifactError, match=told) as caught:
        launch(base, {}, tmp_path)
    assert "--student" in caught.value.remedy
    assert not (tmp_path / "server.log").exists()


def test_a_path_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match="is not a model"):
        launch(tmp_path / "nowhere", {}, tmp_path)


@pytest.mark.parametrize(
    ("field", "told"), [("prompt_hash", "another prompt"), ("student_hash", "was trained on"), ("files", "was changed")]
)
def test_an_adapter_for_something_else_is_refused(copied, tmp_path, field, told):
    base, adapter = copied
    manifest = read_manifest(adapter, AdapterManifest)
    wrong = {"adapter_model.safetensors": "0" * 64} if field == "files" else "0" * 16
    write_manifest(adapter, manifest.model_copy(update={field: wrong}))
    with pytest.raises(ArtifactError, match=told):
        launch(base, {adapter.name: adapter}, tmp_path)


def test_merging_two_adapters_into_one_base_is_refused(base, adapter, tmp_path):
    with pytest.raises(ServeError, match="2 adapters cannot be merged"):
        launch(base, {"one": adapter, "two": adapter}, tmp_path)


def test_a_port_in_use_is_named(base, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServeError, match=str(port)) as caught:
            launch(base, {}, tmp_path, port=port)
    assert "serve.port" in caught.value.remedy


# merging


def test_merged_weights_answer_as_base_plus_adapter(base, adapter, tmp_path):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    found = find_base(base)
    folder = merged(found, adapter, adapter.name, work=tmp_path, notify=print)
    tokens = torch.tensor([[5, 80, 300, 700]])
    plain = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    both = PeftModel.from_pretrained(plain, adapter)
    one = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    with torch.no_grad():
        expected, seen = both(tokens).logits, one(tokens).logits
        with both.disable_adapter():
            without = both(tokens).logits
    assert (seen - expected).abs().max() < 0.1 < (without - expected).abs().max()
    assert (folder / "tokenizer_config.json").read_bytes() == (base / "tokenizer_config.json").read_bytes()


def test_a_merged_model_is_built_once_and_again_when_it_is_damaged(base, adapter, tmp_path):
    told: list[str] = []
    found = find_base(base)
    folder = merged(found, adapter, adapter.name, work=tmp_path, notify=told.append)
    first = read_manifest(folder, MergedManifest)
    assert merged(found, adapter, adapter.name, work=tmp_path, notify=told.append) == folder
    assert len(told) == 1
    (folder / "model.safetensors").write_bytes(b"")
    merged(found, adapter, adapter.name, work=tmp_path, notify=told.append)
    assert len(told) == 2
    assert read_manifest(folder, MergedManifest).files == first.files


# processes


def test_a_server_that_dies_while_starting_is_noticed_with_its_last_lines(copied, tmp_path):
    base, _ = copied
    (base / "model.safetensors").write_bytes(b"\xff" * 64)
    with pytest.raises(ServeError, match="ended while starting") as caught:
        launch(base, {}, tmp_path, backend="vllm")
    assert "SafetensorError" in caught.value.message  # the cause, which is far above the last line
    assert "Engine core initialization failed" in caught.value.message
    assert str(tmp_path / "server.log") in caught.value.message + caught.value.remedy


def test_a_server_that_is_not_ready_in_time_is_ended(base, tmp_path):
    with pytest.raises(ServeError, match="not ready after") as caught:
        launch(base, {}, tmp_path, backend="vllm", ready_timeout_s=0.5)
    assert "serve.ready_timeout_s" in caught.value.remedy


def test_transformers_serve_stands_behind_the_same_interface(base, adapter, tmp_path):
    with launch(base, {adapter.name: adapter}, tmp_path, backend="transformers") as server:
        publish(server, tmp_path / "server.json")
        assert attach(tmp_path / "server.json") is not None
        with Chat(server.endpoint(adapter.name)) as chat:
            completion = chat.complete([Message(role="user", content="Voice: warm")], Sampling(seed=1))
        assert completion.text
    assert not (tmp_path / "server.json").exists()
    assert not server.is_alive
    wait_until_gone(server.address.pid)


def test_stopping_takes_grandchildren_that_ignore_the_signal(tmp_path):
    script = "trap '' TERM; sleep 1000 & echo started; exec sleep 1000"
    process = SupervisedProcess(["sh", "-c", script], env=os.environ, cwd=tmp_path, log=tmp_path / "log")
    while "started" not in process.tail(1):
        assert process.exit_code is None
    assert len(living(process.pid)) == 3
    process.stop(grace_s=0.1)
    process.stop()
    assert process.exit_code == -signal.SIGKILL
    wait_until_gone(process.pid)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, None])
def test_children_and_grandchildren_end_with_us_however_we_end(tmp_path, end):
    fifo = tmp_path / "held"
    os.mkfifo(fifo)
    parent = textwrap.dedent(f"""
        import os, signal
        from pathlib import Path
        from brand_voice.process import SupervisedProcess
        script = "exec 9>{fifo}; sleep 1000 9>&9 & exec sleep 1000"
        folder = Path({str(tmp_path)!r})
        child = SupervisedProcess(["sh", "-c", script], env=os.environ, cwd=folder, log=folder / "log")
        open({str(fifo)!r}).read(0)
        print(child.pid, flush=True)
        {"signal.pause()" if end else ""}
    """)
    started = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True)
    held = os.open(fifo, os.O_RDONLY)
    started.stdout.readline()
    if end:
        started.send_signal(end)
    started.wait()
    assert os.read(held, 1) == b""  # end of file: whoever could write is gone
    os.close(held)


def test_every_refusal_has_a_remedy(base, tmp_path):
    for settings in ({"host": "256.0.0.1"}, {"backend": "transformers", "mode": "lora"}):
        with pytest.raises(BrandVoiceError) as caught:
            launch(base, {}, tmp_path, **settings)
        assert caught.value.remedy


def test_several_adapters_are_served_beside_each_other(base, adapter, tmp_path, tidewater):
    twin = tmp_path / f"{adapter.name[:-4]}twin"
    shutil.copytree(adapter, twin)
    write_manifest(twin, read_manifest(adapter, AdapterManifest).model_copy(update={"name": twin.name}))
    prompt = student_messages(tidewater.guide, tidewater.briefs[0])
    with launch(base, {adapter.name: adapter, twin.name: twin}, tmp_path, mode="auto") as running:
        assert set(running.models) >= {adapter.name, twin.name}
        texts = []
        for name in (adapter.name, twin.name):
            with Chat(running.endpoint(name)) as chat:
                texts.append(chat.complete(prompt, Sampling(temperature=0)).text)
    assert texts[0] == texts[1]
    wait_until_gone(running.address.pid)
