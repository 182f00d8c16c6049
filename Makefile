# Each target is one word; `make help` lists them. Works with GNU make 3.81 and later.
# Settings: PYTHON=/path/to/python3 (which Python makes the environment), ARGS="..." (passed on to what is run).

ifeq ($(OS),Windows_NT)
$(error vivavoce runs on Linux and macOS; on Windows use it inside WSL 2)
endif

export PYTHON
PY := .venv/bin/python
LOCK := uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11
.DEFAULT_GOAL := help
.PHONY: help setup tools run test test-fast lint format docs bench fuzz e2e lock wheel clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

setup: ## prepare environment, web page and model files; does only what is not done
	@sh scripts/prepare

tools: ## the same, with what tests and checks need
	@sh scripts/prepare --dev

run: setup ## start the server on http://127.0.0.1:8040
	@$(PY) -m vivavoce serve $(ARGS)

test: tools ## all tests that this machine can run, fast ones first, then the web page's
	@$(PY) -m pytest $(ARGS)
	@cd web && ../$(PY) ../scripts/node.py npm test

test-fast: tools ## the tests that take no more than a second each
	@$(PY) -m pytest -m "not slow and not e2e" $(ARGS)

lint: tools ## formatting, ruff, mypy, import layers, size limits, documents, the web page's types
	$(PY) -m ruff format --check
	$(PY) -m ruff check
	$(PY) -m mypy
	$(PY) -c "from importlinter.cli import lint_imports_command as lint; lint()" --no-logo
	$(PY) -m pytest -q -m "not slow" tests/repository
	cd web && ../$(PY) ../scripts/node.py npm run check

format: tools ## format the Python code and sort its imports
	@$(PY) -m ruff check --fix --quiet --select I
	@$(PY) -m ruff format

docs: tools ## write the generated parts of docs/ anew
	@$(PY) scripts/reference.py

bench: tools ## measure latency, throughput, memory; prints numbers with their bounds
	@$(PY) -m bench $(ARGS)

fuzz: tools ## ten minutes of random input to codec, sessions and REST; prints how much was tried
	@VIVAVOCE_FUZZ_SECONDS=$${VIVAVOCE_FUZZ_SECONDS:-250} $(PY) -m pytest tests/fuzz -q -s \
		--hypothesis-show-statistics --timeout=3600 $(ARGS)

e2e: tools ## the tests with a real server, real transports and a browser
	@$(PY) -m pytest -m e2e $(ARGS)

lock: ## compute requirements/*.lock anew (needs uv; ARGS=--upgrade takes later versions)
	$(LOCK) $(ARGS) --extra speech pyproject.toml requirements/build.in -o requirements/runtime.lock
	$(LOCK) $(ARGS) --extra speech pyproject.toml requirements/build.in --group dev -c requirements/runtime.lock -o requirements/dev.lock
	$(LOCK) $(ARGS) requirements/node.in -o requirements/node.lock

wheel: setup ## build dist/vivavoce-*.whl with the web page and the model files inside
	@$(PY) -m hatchling build -t wheel -d dist

clean: ## delete the environment, builds and caches of this checkout (not the user's model cache)
	rm -rf .venv web/node_modules web/dist dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests scripts bench -name __pycache__ -type d -prune -exec rm -rf {} +
