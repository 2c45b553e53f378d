# Everything that the project needs, its own files install: a virtual environment in .venv, from locked requirements.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MINUTES ?= 10
WORKERS ?= 2
export PYTHONWARNINGS ?= default
# pip's own deprecations are nobody's concern here.
PIP := PYTHONWARNINGS=ignore $(BIN)/pip install --quiet --disable-pip-version-check

.PHONY: help demo test coverage lint test-cluster test-alerts picture soak bench lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/demo.stamp ## Show the main job live, in under a minute (KEEP=1 leaves it up to look around)
	@$(BIN)/python -m tests.demo $(if $(KEEP),--keep)

test: lint ## Static checks, then every test that needs only Python; the core has to be covered to its last branch
	$(BIN)/pytest -q --cov=controller.core --cov-branch --cov-report= --cov-fail-under=100 tests/core
	$(BIN)/pytest -q -n $(WORKERS) --dist worksteal --ignore=tests/cluster --ignore=tests/alerts --ignore=tests/core --server=memory

coverage: $(VENV)/dev.stamp ## Lines and branches that the same tests reach, in the controller's own process too
	$(BIN)/pytest -q -n $(WORKERS) --dist worksteal --ignore=tests/cluster --ignore=tests/alerts --server=memory --cov --cov-report=term

lint: $(VENV)/dev.stamp ## ruff, mypy strict, import contracts
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

test-cluster: $(VENV)/dev.stamp ## The controller and the contract suite on a real control plane (built once, or KUBEBUILDER_ASSETS)
	$(BIN)/python -m tests.cluster.assets
	$(BIN)/pytest -q tests/cluster tests/contract tests/operator --ignore=tests/operator/test_demo.py --server=real

test-alerts: $(VENV)/dev.stamp ## The alerts on a real Prometheus, live and by promtool (on the PATH, or Debian's package, unpacked once)
	@$(BIN)/python -m tests.alerts.tools
	$(BIN)/pytest -q tests/alerts --server=memory

picture: $(VENV)/dev.stamp ## Draw docs/rotation-day.svg: a day of 1,000 namespaces, simulated
	$(BIN)/python -m tests.simulation.picture docs/rotation-day.svg

soak: $(VENV)/dev.stamp ## 300 namespaces in five regions with tokens of two minutes, for MINUTES (10)
	$(BIN)/python -m tests.soak --minutes $(MINUTES)

bench: $(VENV)/dev.stamp ## 2,000 namespaces over 50 identities: calls, writes, memory, waiting times (QUICK=1: a tenth)
	$(BIN)/python -m tests.bench $(if $(QUICK),--quick)

lock: ## Write requirements/*.txt anew from requirements/*.in
	$(PYTHON) -m venv $(VENV)-tools
	$(VENV)-tools/bin/pip install --quiet --require-hashes -r requirements/tools.txt
	for set in run demo dev delivery tools; do \
	  $(VENV)-tools/bin/uv pip compile --quiet --upgrade --generate-hashes --universal --no-strip-extras \
	    --python-version 3.11 --no-emit-index-url --custom-compile-command "make lock" requirements/$$set.in -o requirements/$$set.txt || exit 1; \
	done

clean: ## Take away what the other targets made here
	rm -rf $(VENV) $(VENV)-tools build .coverage* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

$(VENV)/demo.stamp: requirements/demo.txt pyproject.toml
	@echo "preparing the environment in $(VENV) (once)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; say PYTHON=…")'
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --require-hashes -r requirements/demo.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/demo.stamp requirements/dev.txt
	@$(PIP) --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/delivery.stamp: $(VENV)/dev.stamp requirements/delivery.txt
	@$(PIP) --require-hashes -r requirements/delivery.txt
	@touch $@
