# Needs Python 3.11 or newer, git and make; installs the rest into .venv and .envs, here.

PYTHON ?= python3
# Arguments for cookiecutter: make project ARGS="--no-input -o .. primary_database=postgresql"
# Cases to try: make compatibility ARGS="axes channels"
ARGS ?=
# Other answers, or a newer template, for a project: make change PROJECT=../my_project ARGS="tenant_databases=managed".
# DRY_RUN=1 only shows what would change. FROM names the template's commit that the project was made from, if the
# project does not know it.
PROJECT ?=
DRY_RUN ?=
FROM ?=
# Arguments for pytest: make test PYTEST="-k refused"
PYTEST ?= --numprocesses auto --dist worksteal

.PHONY: project change test lint docs refusals reads messages recording compatibility clean

project: .venv/bake.stamp
	@.venv/bin/python bake.py $(ARGS)

change: .venv/bake.stamp
	@.venv/bin/python change.py $(if $(DRY_RUN),--dry-run) $(if $(FROM),--from "$(FROM)") "$(PROJECT)" $(ARGS)

test: .venv/bake.stamp .venv/test.stamp lint
	.venv/bin/python -m pytest $(PYTEST)

lint: .venv/test.stamp
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/ruff check --no-cache --isolated --target-version py310 --select E4,E7,E9,F --ignore E402,F401,F811 \
		--config 'builtins = ["cookiecutter", "python_string"]' "{{cookiecutter.project_slug}}"
	.venv/bin/mypy

# The guide, in docs/_build/html. A dead link is an error.
docs: .venv/docs.stamp
	.venv/bin/python docs/generate.py
	.venv/bin/python -m sphinx --quiet --fail-on-warning --keep-going --fresh-env docs docs/_build/html

refusals: .venv/bake.stamp .venv/test.stamp
	.venv/bin/python -m pytest --quiet --update-refusals tests/test_refusals_of_the_mirror.py

reads: .venv/bake.stamp .venv/test.stamp
	.venv/bin/python -m pytest --quiet --update-reads tests/test_replica_story.py

messages: .venv/bake.stamp .venv/test.stamp
	.venv/bin/python -m tests.support.messages

# The pictures of README.md, from a project that the test makes.
recording: .venv/bake.stamp .venv/test.stamp
	.venv/bin/python -m pytest --quiet --update-recording tests/test_documents.py -k "tutorials and yes-managed"

compatibility: .venv/bake.stamp .venv/test.stamp
	.venv/bin/python -m compatibility $(ARGS)

clean:
	rm -rf .venv .envs docs/_build

.venv/%.stamp: pyproject.toml Makefile
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed: make PYTHON=/path/to/python3")'
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv
	@# `--group` came with pip 25.1.
	@.venv/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	.venv/bin/python -m pip install --quiet --group $*
	@touch $@
