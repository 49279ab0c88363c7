# Everything a developer does here, one word each. `make` alone lists the words.
# Each target first sets up what it needs; stamp files remember what is done.

PYTHON ?=          # an interpreter of your choice; else the newest suitable one is found
ARGS ?=            # passed on: make test ARGS='-k store -x'

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test chaos lint fmt bench clean lock

VENV := .venv
PY   := $(VENV)/bin/python
PIP  := $(PY) -m pip --disable-pip-version-check --no-input
E2E  := tests/e2e
PEERS := scripts/bench/peers
WEB  := web
UV   := .cache/lock/bin/uv

help: ## print this list
	@echo "make …"
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-7s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: $(VENV)/.base-stamp ## start the server, its page and an executor; Ctrl-C stops all
	@$(PY) -m scripts.build_web || echo "Going on without the page." >&2
	@$(PY) -m scripts.run $(ARGS)

test: $(VENV)/.dev-stamp $(E2E)/node_modules/.stamp $(WEB)/node_modules/.stamp ## run all tests (ARGS='-k word' for some of Python's)
	@$(PY) -m pytest $(ARGS)
	@$(if $(ARGS),,cd $(WEB) && npm test --silent)

chaos: $(VENV)/.dev-stamp $(E2E)/node_modules/.stamp ## break what can break, long (ARGS='tests/chaos -k word')
	@CHAOS=long HYPOTHESIS_PROFILE=long $(PY) -m pytest -s -o timeout=3600 \
		$(or $(ARGS),tests/bff/stores/test_sqlite_model.py tests/chaos)

lint: $(VENV)/.dev-stamp $(WEB)/node_modules/.stamp ## check style, format and types
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@cd $(WEB) && npm run --silent lint && npm run --silent typecheck

fmt: $(VENV)/.dev-stamp $(WEB)/node_modules/.stamp ## format the code and mend what the linters can
	@$(PY) -m ruff check --fix-only --quiet .
	@$(PY) -m ruff format .
	@cd $(WEB) && npm run --silent fmt

bench: $(VENV)/.dev-stamp $(PEERS)/node_modules/.stamp ## measure, beside other servers
	@$(PY) -m scripts.bench $(ARGS)

clean: ## remove what was set up, built or kept: .venv, caches, .data, node_modules
	@rm -rf $(VENV) .data .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis \
		build dist *.egg-info bff/static $(E2E)/node_modules $(PEERS)/node_modules \
		$(WEB)/node_modules $(WEB)/*/*/node_modules $(WEB)/*/*/dist
	@find . -name .git -prune -o -type d -name __pycache__ -prune -exec rm -rf {} +

lock: ## pin the dependencies anew (UPGRADE=1 takes newer releases too)
	@$(find-python); [ -x $(UV) ] || { echo "Setting up uv …"; \
		"$$python" -m venv .cache/lock && \
		.cache/lock/bin/python -m pip --disable-pip-version-check install -qq 'uv==0.13.8'; }
	@$(lock) pyproject.toml --group build -o requirements/base.txt
	@$(lock) pyproject.toml --group build --extra dev --extra agents -c requirements/base.txt \
		-o requirements/dev.txt
	@$(lock) --group pyproject.toml:node -o requirements/node.txt
	@for folder in $(E2E) $(PEERS) $(WEB); do \
		(cd $$folder && npm $(if $(UPGRADE),update,install) --package-lock-only --loglevel=error) \
			|| exit 1; done
	@echo "requirements/*.txt and the package-lock.json files are up to date"

lock = $(UV) pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links \
	--custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade)

# --- setting up -------------------------------------------------------------------------------

$(VENV)/.base-stamp: requirements/base.txt pyproject.toml
	@$(ensure-venv)
	@echo "Setting up Python packages …"
	@$(PIP) install -qq --require-hashes -r requirements/base.txt
	@$(install-self)
	@touch $@

# A superset of the base, so it counts for both.
$(VENV)/.dev-stamp: requirements/dev.txt requirements/base.txt pyproject.toml
	@$(ensure-venv)
	@echo "Setting up Python packages for development …"
	@$(PIP) install -qq --require-hashes -r requirements/dev.txt
	@$(install-self)
	@touch $(VENV)/.base-stamp $@

%/node_modules/.stamp: %/package-lock.json %/package.json
	@$(check-node)
	@echo "Setting up Node.js packages in $* …"
	@cd $* && npm ci --no-progress --loglevel=error >/dev/null
	@touch $@

$(WEB)/node_modules/.stamp: $(wildcard $(WEB)/*/*/package.json)

install-self = $(PIP) install -qq --no-deps --no-build-isolation --editable .

# Sets $python. A command counts only if it runs, is new enough and can make environments:
# version switchers leave commands that only print an error.
define find-python
python=; \
for name in $(or $(strip $(PYTHON)),python3.13 python3.12 python3.11 python3); do \
	if "$$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
		>/dev/null 2>&1; then python=$$name; break; fi; \
done; \
if [ -z "$$python" ]; then \
	echo "Runroom needs Python 3.11 or newer with its venv module (found:" \
		"$$($(or $(strip $(PYTHON)),python3) --version 2>&1 | head -n 1))." \
		"On Debian and Ubuntu: apt install python3 python3-venv" >&2; \
	exit 1; \
fi
endef

# Keeps an environment that works, whoever made it.
define ensure-venv
if ! $(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	$(find-python); \
	echo "Making $(VENV) with $$("$$python" --version) …"; \
	"$$python" -m venv --clear $(VENV) || exit 1; \
fi; \
if ! $(PY) -m pip --version >/dev/null 2>&1; then $(PY) -m ensurepip >/dev/null || exit 1; fi
endef

define check-node
if ! node -e 'const [a, b] = process.versions.node.split("."); process.exit(a * 100 + +b < 2019 ? 1 : 0)' >/dev/null 2>&1 \
	|| ! npm --version >/dev/null 2>&1; then \
	echo "The tests and the web packages need Node.js 20.19 or newer with npm (found:" \
		"$$(node --version 2>/dev/null || echo none)): install it from your system's packages" \
		"or from nodejs.org, then run make again." >&2; \
	exit 1; \
fi
endef
