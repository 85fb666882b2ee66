# The commands of the course. The first one you run sets up .venv; that takes a few minutes, once.
#
#   make lab      open lesson 1 in JupyterLab
#   make repeat   run a lesson again and compare every output with what was saved (L=03: lesson 3)
# instructors:
#   make grade    grade a sample class and print the table of marks
#   make check    what a change must pass first: form, types, the house, the fast laws (two minutes)
#   make test     run every check (make test-lesson L=03 for one lesson)
#   make bench    measure flowlib against its peers
#   make gpu      on a machine with a GPU: its tests, all lessons, its benchmark (L=05 or PART=tests|lessons|bench)
#   make soak     the checks that take long
#   make golden   say whether answers, classes and trained flows get what they always got
#   make site     build the course as web pages
#   make figures  draw the pictures and animations of assets/figures again
# end instructors
#   make doctor   say what is missing on this machine, and how to mend it

SHELL := /bin/sh
.DEFAULT_GOAL := help
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check -c constraints.txt
L ?= 01

.PHONY: help lab repeat doctor clean
help:
	@sed -n 's/^#   //p' Makefile

lab: .venv/course.stamp
	@$(BIN)/flowcourse lab

doctor: .venv/course.stamp
	@$(BIN)/flowcourse doctor

repeat: .venv/course.stamp
	@$(BIN)/python -m pytest -q --nbval --nbval-current-env --nbval-cell-timeout=120 -W default \
		--nbval-sanitize-with=assets/nbval.cfg lessons/$(L)_*/lesson.ipynb

# instructors:
.PHONY: grade check test test-lesson bench gpu soak golden site figures
grade: .venv/grade.stamp
	@$(BIN)/flowcourse sample-class 01

check: .venv/all.stamp
	@$(BIN)/python -m tests.run --fast

test: .venv/all.stamp
	@$(BIN)/python -m tests.run

test-lesson: .venv/all.stamp
	@$(BIN)/python -m tests.run --lesson $(L)

soak: .venv/all.stamp
	@$(BIN)/python -m tests.run --soak

bench: .venv/all.stamp
	@$(BIN)/python -m tests.benchmarks

# A machine with a GPU may have torch and no network: there the Python that it has is enough.
GPU_PYTHON ?= $(if $(wildcard $(BIN)/python),$(BIN)/python,python3)
gpu:
	@$(GPU_PYTHON) -m tests.gpu $(if $(PART),--part $(PART)) $(if $(filter file,$(origin L)),,--lesson $(L)) \
		$(if $(OUT),--out $(OUT))

golden: .venv/all.stamp
	@$(BIN)/python -m tests.golden

site: .venv/site.stamp
	@$(BIN)/flowcourse site

figures: .venv/all.stamp
	@for script in assets/figures/*.py; do echo "$$script"; $(BIN)/python "$$script" || exit 1; done

# end instructors
# A stamp older than these files means that the environment must be brought up to date.
.venv/course.stamp: pyproject.toml constraints.txt | .venv
	@echo "Installing the course into .venv (a few minutes the first time) ..."
	@$(PIP) -e '.[course]'
	@touch $@

# instructors:
.venv/grade.stamp .venv/site.stamp: .venv/%.stamp: .venv/course.stamp
	@echo "Installing what make $* needs into .venv ..."
	@$(PIP) -e '.[course,$*]'
	@touch $@

.venv/all.stamp: .venv/course.stamp
	@echo "Installing what the checks need into .venv ..."
	@$(PIP) -e '.[course,grade,cluster,site,dev,bench]'
	@touch $@
# end instructors

.venv:
	@if [ -z "$(PYTHON)" ]; then \
		echo "The course needs Python 3.11 or newer; found: $$(python3 --version 2>&1 || true)"; \
		echo "Install it from https://www.python.org/downloads/, or name one: make PYTHON=/path/to/python3.11"; \
		exit 1; fi
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "The course needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)"; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
		echo "$(PYTHON) could not make a virtual environment."; \
		echo "On Debian or Ubuntu: sudo apt install python3-venv. Then run make again."; exit 1; }

clean:
# instructors: gradebooks, marks and feedback lie in .results, which stays; older versions kept them in .build
	@kept=$$(find .build -name gradebook.db ! -path '.build/grade/*' 2>/dev/null); if [ -n "$$kept" ]; then \
		echo "This would delete a gradebook: $$kept"; \
		echo "Move what lies beside it to .results first, then run make clean again."; exit 1; fi
# end instructors
	rm -rf .build .venv
