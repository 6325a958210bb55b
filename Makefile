# Two commands matter: `make demo` and `make test`. The rest serves them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := $(shell git ls-files opslib roles playbooks pyproject.toml 2>/dev/null)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test lint bench docs wheel apt clean

help:  ## Show what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## */\1\t/' | expand -t 10

demo: $(VENV)/.opslib  ## Run the weekly maintenance on this machine, changing nothing
	@$(BIN)/opslib run playbooks/weekly.yml -i inventories/local --check

test: $(VENV)/.test  ## Run every test, on real systemd hosts where root allows
	@$(BIN)/python tests/run.py $(ARGS)

lint: $(VENV)/.lint  ## Check style, types, roles, layers, and what is shipped to Python 3.8
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/vermin --quiet --no-tips --target=3.8- --violations --exclude typing.dataclass_transform opslib/host
	$(BIN)/ansible-lint --offline --profile production roles playbooks
	$(BIN)/pytest -q --no-header -p no:cacheprovider tests/architecture

bench: $(VENV)/.bench  ## Compare speed with pyinfra, ansible-playbook and bare SSH, side by side
	$(BIN)/python benchmarks/run.py $(ARGS)

docs: $(VENV)/.opslib  ## Write the generated parts of the documentation
	PYTHONPATH=. $(BIN)/python -m opslib.collection_build
	PYTHONPATH=. $(BIN)/python -m opslib.role_build
	PYTHONPATH=. $(BIN)/python -m opslib.runbook_build

wheel: $(VENV)/.python  ## Build the wheel into dist/
	$(BIN)/pip -q wheel --no-deps -w dist .

apt:  ## Install the Debian packages that tests and benchmarks need (as root)
	@.ci/apt

clean:  ## Remove what was built here
	rm -rf $(VENV) dist build .cache .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit("opslib needs Python 3.11 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || .ci/apt venv
	@echo "creating $(VENV)" && $(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.opslib: $(VENV)/.python $(SOURCES)
	@echo "installing opslib into $(VENV) (a minute the first time)"
	@$(BIN)/pip -q install .
	@touch $@

$(VENV)/.test: $(VENV)/.opslib
	@test "$$(id -u)" != 0 || .ci/apt
	@$(BIN)/pip -q install $$($(PYTHON) .ci/extra test cloud)
	@touch $@

$(VENV)/.lint: $(VENV)/.opslib
	@$(BIN)/pip -q install $$($(PYTHON) .ci/extra lint test cloud)
	@touch $@

$(VENV)/.bench: $(VENV)/.test
	@$(BIN)/pip -q install $$($(PYTHON) .ci/extra bench)
	@touch $@
