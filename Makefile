# The commands of the project; `make help` lists them.

PYTHON ?=
VENV := .venv/bin
ARGS ?=
export PYTHON

# What a production process would be given, for the checks that look at it.
PRODUCTION := env -u DEBUG -u DEVELOPMENT VAR_DIR=var/none \
	SECRET_KEY=$$($(VENV)/python -c 'import secrets; print(secrets.token_urlsafe(50))') \
	ALLOWED_HOSTS=switchyard.example CSRF_TRUSTED_ORIGINS=https://switchyard.example \
	DATABASE_URL=postgresql://app@db.example/switchyard \
	REDIS_URL=redis://cache.example/0 CELERY_BROKER_URL=redis://broker.example/0 \
	NODE_URLS=https://node.example NODE_CHAIN_ID=1

.PHONY: up test check bench soak lock help run-packages all-packages
.DEFAULT_GOAL := help

up: run-packages ## starts everything on this machine and prints the address (Ctrl-C ends it)
	@exec $(VENV)/python -m console.embedded.up

test: all-packages ## runs the whole test suite, two processes on servers of their own (ARGS="-n 0 -k name" for a part)
	@exec env -u PYTHONDONTWRITEBYTECODE $(VENV)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder $(ARGS)

check: all-packages ## lint, types, import contracts, templates, migrations, deployment checks
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/mypy
	$(VENV)/lint-imports --no-cache
	$(VENV)/djlint templates --lint --quiet
	env -u DATABASE_URL VAR_DIR=var/none SECRET_KEY=none $(VENV)/python manage.py makemigrations --check --dry-run --skip-checks
	$(PRODUCTION) $(VENV)/python manage.py check --deploy --fail-level WARNING

bench: all-packages ## measures the engine and the fleet, each figure beside its peer
	@exec $(VENV)/python -m tests.bench $(ARGS)

soak: all-packages ## the long proofs of faults and load, too long for `make test`
	@exec $(VENV)/python -m pytest -m soak --timeout=7200 $(ARGS)

COMPILE := $(VENV)/uv pip compile --quiet --no-python-downloads --generate-hashes --python-version 3.12 --universal \
	--no-emit-index-url --only-binary :all: --custom-compile-command "make lock"

lock: all-packages ## locks requirements/*.in to exact versions with hashes (ARGS=--upgrade for newer ones)
	$(COMPILE) $(ARGS) requirements/base.in -o requirements/base.txt
	$(COMPILE) $(ARGS) requirements/embedded.in -o requirements/embedded.txt
	$(COMPILE) $(ARGS) requirements/dev.in -o requirements/dev.txt

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' Makefile

run-packages:
	@.ci/install base embedded

all-packages:
	@.ci/install base embedded dev
