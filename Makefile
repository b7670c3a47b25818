# The two that matter: `make demo` and `make test`. Each makes .venv when it has to.

# Python 3.11 or newer, for example: make test PYTHON=python3.13
PYTHON ?= python3
# More arguments for demo, test and lock, for example: make demo ARGS="--stores 500"
ARGS ?=
# Not from the environment: make deletes these folders.
VENV := .venv
DIST := dist
TEST_JOBS := 2
SEEDS := 1000
FIRST := 0
UV := uv==0.13.9

BIN := $(VENV)/bin
# Wheels only: no compiler is needed, and no package runs code while it is installed.
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
FETCH := $(PIP) install --require-hashes --only-binary :all:

# Why .venv has to be made again although it is there; empty when it is fine. A virtual
# environment does not survive a move, a copy or an upgrade of the Python under it.
STALE := $(shell test -e '$(VENV)/made' || exit 0; \
  test "$$(cat '$(VENV)/made')" = "$$(pwd -P)" || { echo 'it was made in another folder'; exit; }; \
  '$(BIN)/python' -c 'import pip' 2>/dev/null || { echo 'its Python is gone'; exit; })
# An interpreter that was asked for by name must be the one that is used.
ifneq ($(origin PYTHON),file)
STALE := $(or $(STALE),$(shell test -e '$(VENV)/made' || exit 0; \
  test "$$('$(PYTHON)' -c 'import sys; print(sys.version)' 2>/dev/null)" = \
       "$$('$(BIN)/python' -c 'import sys; print(sys.version)')" \
    || echo 'it has another Python than $(PYTHON)'))
endif

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo test simulate bench lint types check wheel lock clean again

help: ## List the targets (this text)
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/run ## Run a whole campaign on the embedded Command (ARGS="--stores 500")
	@$(BIN)/batch-reenroll demo $(ARGS)

# Property tests draw the same examples every time; pytest alone looks for new ones.
test: $(VENV)/dev ## Run the tests (ARGS="-k ledger", TEST_JOBS=4)
	@$(BIN)/python -m pytest -q -n $(TEST_JOBS) --dist loadfile --hypothesis-profile=ci $(ARGS)

simulate: $(VENV)/dev ## Simulate campaigns under virtual time (SEEDS=10000 FIRST=0)
	@PYTHONPATH=tests $(BIN)/python -m simulation --seeds $(SEEDS) --first $(FIRST)

# One after another: each measures against its own baselines, in the same run.
BENCHES := startup manifest reports growth ledger submission tracking sandbox_capacity
bench: $(VENV)/dev ## Run the benchmarks into reports/bench/ (ARGS=--quick BENCHES=manifest)
	@for name in $(BENCHES); do \
	  PYTHONPATH=tests $(BIN)/python -m benchmarks.$$name $(ARGS) || exit 1; done

lint: $(VENV)/dev ## Check style and format (ruff)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/dev ## Check the types (mypy, strict)
	@$(BIN)/mypy

check: lint types test ## Everything above: style, types and tests

wheel: $(VENV)/dev ## Build the wheel into dist/
	@rm -rf '$(DIST)'
	@$(BIN)/python -m build --wheel --no-isolation --outdir '$(DIST)' .

# hatchling and editables install the package itself, so they are locked as well.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
  --generate-hashes --no-build --custom-compile-command 'make lock' $(ARGS)
lock: $(VENV)/made ## Resolve requirements/*.lock again (ARGS=--upgrade for newer versions)
	@echo 'Locking requirements/run.lock and requirements/dev.lock'
	@$(PIP) install '$(UV)'
	@printf 'hatchling>=1.27\neditables~=0.5\n' | \
	  $(LOCK) -o requirements/run.lock pyproject.toml -
	@printf 'hatchling>=1.27\neditables~=0.5\n' | \
	  $(LOCK) -o requirements/dev.lock -c requirements/run.lock \
	    --all-extras --group dev pyproject.toml -

clean: ## Remove .venv, dist/ and caches; reports and ledgers stay
	@rm -rf '$(VENV)' '$(DIST)' build .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find batch_reenroll tests benchmarks -type d -name __pycache__ -prune -exec rm -rf {} +

# Four stamps: the environment, what runs the product, what builds and tests it.
define install
	@echo 'Installing the packages of $< and batch-reenroll into $(VENV)'
	@$(FETCH) -r $<
	@$(PIP) install --no-index --no-deps --no-build-isolation --editable .
endef

$(VENV)/run: requirements/run.lock pyproject.toml batch_reenroll/__init__.py $(VENV)/made
	$(install)
	@touch $@

# dev.lock holds all of run.lock, in the same versions.
$(VENV)/dev: requirements/dev.lock pyproject.toml batch_reenroll/__init__.py $(VENV)/made
	$(install)
	@touch $@ $(VENV)/run

$(VENV)/made: $(if $(STALE),again)
	@command -v '$(PYTHON)' >/dev/null || { \
	  echo 'There is no $(PYTHON) here; batch-reenroll needs Python 3.11 or newer.'; \
	  echo 'hint: sudo apt-get install python3 python3-venv'; exit 1; } >&2
	@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is $$('$(PYTHON)' -V 2>&1); batch-reenroll needs Python 3.11 or newer."; \
	  echo 'hint: name a newer one, for example: make $(or $(MAKECMDGOALS),demo) PYTHON=python3.13'; \
	  exit 1; } >&2
	@'$(PYTHON)' -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo '$(PYTHON) cannot make virtual environments: its venv package is not installed.'; \
	  echo 'hint: sudo apt-get install python3-venv'; exit 1; } >&2
	@echo "Making $(VENV) with $$('$(PYTHON)' -V)$(if $(STALE), again: $(STALE))"
	@'$(PYTHON)' -m venv --clear '$(VENV)'
	@pwd -P > $@
