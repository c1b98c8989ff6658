# corrnet_lib: everything by name. `make` alone lists it.
PYTHON ?= python3.11
VENV   ?= .venv
NEWEST ?= .venv-newest
APPENV ?= .venv-app
BIN    := $(VENV)/bin
PIP    := -q --disable-pip-version-check --retries 10
SITE    = lib/python3*/site-packages

.DEFAULT_GOAL := help
.PHONY: help install export test test-slow test-cuda gpu test-data test-newest demo golden pins rooms style sync-check clean clean-check readme readme-check studies figures run lab nbtest card newest-check requirements-check fuzz test-browser test-dist test-hosts test-kills

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

install: $(VENV)/.installed  ## the environment, with this checkout as an editable package

$(VENV)/.installed: settings.ini setup.py
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install $(PIP) -e '.[dev]'
	@touch $@

export: install  ## notebooks -> package
	$(BIN)/nbdev_export

# two checks at a time, what each prints in one piece (GNU make 4)
IN_ORDER := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

test: install  ## all checks that need no GPU, no network and no real videos
	$(MAKE) --no-print-directory sync-check clean-check rooms style readme-check
	$(MAKE) --no-print-directory card $(VENV)/.docs
	$(MAKE) --no-print-directory -j2 $(IN_ORDER) SEED=0 \
	  test-dist test-browser docs golden pins fuzz newest-check requirements-check

nbtest: install  ## the notebooks' tests; prints the ten slowest
	$(BIN)/python tools/nbtest.py

card: install  ## nbdev_export (no change), pip install -e ., nbdev_test
	$(BIN)/python tools/card.py

test-slow: install  ## also the cells flagged slow
	$(BIN)/python tools/nbtest.py --flags slow

test-dist: install  ## 1, 2 and 3 processes train, validate and resume alike; what cannot be shared is refused
	$(BIN)/python -W ignore tools/test_dist.py

test-hosts: install  ## two machines and the cable between them (needs root and iproute2)
	$(BIN)/python -W ignore tools/test_hosts.py

test-kills: install  ## KILLS (20) random processes killed; each training ends with the weights of an undisturbed one; SEED
	$(BIN)/python -W ignore tools/test_kills.py $(if $(KILLS),--kills $(KILLS)) $(if $(SEED),--seed $(SEED))

test-cuda: install  ## also the cells flagged cuda (needs a GPU)
	$(BIN)/python tools/nbtest.py --flags cuda

gpu: install  ## on a GPU: its tests, all measurements, 200 steps by a recipe of each system, into results/
	@$(BIN)/python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' \
	  || { echo 'make gpu: torch finds no GPU here'; exit 1; }
	@status=0; $(MAKE) test-cuda || status=1; \
	  $(BIN)/corrnet_bench all --device cuda || status=1; \
	  $(BIN)/corrnet_bench recipes --device cuda || status=1; exit $$status

test-data: install  ## also the cells flagged data: real clips from the folder in CORRNET_CLIPS
	@test -n "$(CORRNET_CLIPS)" || { echo 'set CORRNET_CLIPS to a folder of real clips'; exit 1; }
	$(BIN)/python tools/nbtest.py --flags data

golden: install  ## numerical parity; GOLDEN=DIR takes another folder of fixtures
	$(BIN)/python -W ignore tools/golden.py $(if $(GOLDEN),--cases $(GOLDEN))

pins: install  ## what users have from earlier versions still works: recipes, runs, exports, tables, scripts, flags
	$(BIN)/python -W ignore tools/pins.py

fuzz: install  ## damaged files must be refused in a sentence: stored cases, then MINUTES (.5) over all targets, or ONLY=mp4,lists; SEED
	$(BIN)/python -W ignore tools/fuzz.py $(if $(MINUTES),--minutes $(MINUTES)) $(if $(ONLY),--only $(ONLY)) $(if $(SEED),--seed $(SEED))

rooms: install  ## who imports whom, and with what
	$(BIN)/python -W ignore tools/rooms.py

style: install  ## lines, assignments, functions, openings, words and types, counted
	@$(BIN)/python tools/style.py --self-test
	@$(BIN)/python tools/style.py

sync-check: install  ## the package is what the notebooks say
	$(BIN)/python tools/sync.py

clean: install  ## remove counts, warnings, bars and metadata from the notebooks
	$(BIN)/python tools/nbs.py clean

clean-check: install  ## fail where a notebook is not clean
	$(BIN)/python tools/nbs.py check

readme: install  ## README.md from nbs/index.ipynb
	$(BIN)/python tools/readme.py

readme-check: install  ## fail where README.md is stale
	$(BIN)/python tools/readme.py --check

.PHONY: docs docs-search docs-browser
$(VENV)/.docs: settings.ini $(VENV)/.installed
	$(BIN)/pip install $(PIP) -e '.[docs]'
	@touch $@

docs: $(VENV)/.docs  ## the site from the notebooks as stored, all its links checked: _docs/html/index.html
	$(BIN)/python tools/docs.py

docs-search: $(VENV)/.docs  ## what the site's own search finds, in chromium: make docs-search FOR=throughput
	@$(BIN)/python tools/docs.py search $(FOR)

docs-browser: docs  ## open each page in chromium without a network: formulas, players, the search's words
	$(BIN)/python tools/docs_browser.py

run: install  ## run notebooks and store their outputs: make run NB=nbs/00_core.ipynb
	@test -n "$(NB)" || { echo 'say which: make run NB=nbs/00_core.ipynb'; exit 1; }
	$(BIN)/python tools/nbs.py run $(NB)

# A second environment: its own fastai and fastcore come before those of the first, everything else is shared; the package is installed, not linked.
$(NEWEST)/.installed: constraints-newest.txt $(VENV)/.installed
	@rm -rf $(NEWEST) && $(PYTHON) -m venv --without-pip $(NEWEST)
	@cd $(VENV)/$(SITE) && pwd > $(CURDIR)/$(NEWEST)/zz_base.pth
	@mv $(NEWEST)/zz_base.pth $(NEWEST)/$(SITE)/
	$(NEWEST)/bin/python -m pip install $(PIP) --no-deps --ignore-installed --target $$(echo $(NEWEST)/$(SITE)) -r constraints-newest.txt
	@touch $@

newest-check: $(NEWEST)/.installed  ## the installed package trains with the newest fastai known to work
	@rm -rf build
	$(NEWEST)/bin/python -m pip install $(PIP) --no-deps --no-build-isolation --upgrade --target $$(echo $(NEWEST)/$(SITE)) .
	cd / && $(CURDIR)/$(NEWEST)/bin/python -W ignore $(CURDIR)/tools/newest_smoke.py

test-newest:  ## what a user's install gets today, under PYTHON: verify, train, predict, draw (may fail; not in CI)
	rm -rf .venv-unpinned build && $(PYTHON) -m venv .venv-unpinned
	.venv-unpinned/bin/pip install $(PIP) .
	cd / && $(CURDIR)/.venv-unpinned/bin/python $(CURDIR)/tools/newest_smoke.py --record $(CURDIR)/results/tried.json

requirements-check: install  ## what an install would choose today against what was tried, and PyAV's names
	$(BIN)/python tools/newest.py

studies: install  ## all runs that the studies still lack, hours, the most valuable first; goes on where it stopped; LIST=1 says which
	$(BIN)/python -W ignore tools/studies.py $(if $(LIST),--list,--device cpu)

figures: install  ## every figure of the ablations from the committed rows, into results/figures (svg and png)
	$(BIN)/python -W ignore tools/figures.py

demo: install  ## train, evaluate, predict, look: motion videos into runs/demo
	$(BIN)/python -m corrnet_lib.cli.demo --out runs/demo

lab: install  ## JupyterLab over this checkout; new notebooks land in work/, which git ignores
	$(BIN)/python tools/lab.py

test-browser: install  ## tutorials and sampling opened and run in JupyterLab in Chromium, and a report from the disk; pictures in runs/browser; NB="..." takes others
	$(BIN)/python tools/browser.py $(NB)

.PHONY: test-app
# Gradio wants an older Pillow than the workbook has, so it lives in an environment that shares everything else.
$(APPENV)/.installed: constraints-app.txt $(VENV)/.installed
	@rm -rf $(APPENV) && $(PYTHON) -m venv --without-pip $(APPENV)
	@cd $(VENV)/$(SITE) && pwd > $(CURDIR)/$(APPENV)/zz_base.pth
	@mv $(APPENV)/zz_base.pth $(APPENV)/$(SITE)/
	$(APPENV)/bin/python -m pip install $(PIP) --no-deps --ignore-installed --target $$(echo $(APPENV)/$(SITE)) -r constraints-app.txt
	@touch $@

test-app: install $(APPENV)/.installed  ## the page of corrnet_app, and explore in JupyterLab, in Chromium; pictures in runs/app
	$(APPENV)/bin/python -W ignore tools/test_app.py page
	$(BIN)/python -W ignore tools/test_app.py explore
