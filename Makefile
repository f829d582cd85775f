# SPDX-License-Identifier: MIT
# One command each to build, run, test and measure. Meson and Ninja do the work.

BUILD  ?= build
TESTS  ?= $(BUILD)-test
PREFIX ?= /usr/local
PYTHON := /usr/bin/python3
MESON  := /usr/bin/meson
CONFIG ?= examples/detour.yaml
TARGET ?=
SECONDS = 60
QUICK  ?=
WERROR ?=
PARTS  ?=
NODES  ?=

# The program is optimised across its files, which takes a tenth off its instructions. The
# tests are built beside it without that, since each of them would be linked as slowly.
RELEASE := -Doptimization=3 -Ddebug=true -Db_lto=true -Dtests=false

.DEFAULT_GOAL := build
.PHONY: build all run test test-slow bench conformance fuzz format lint install deps clean help

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /make \1\t/p' Makefile | expand -t 16
	@echo
	@echo 'variables: BUILD=build PREFIX=/usr/local DESTDIR= CONFIG=examples/detour.yaml'
	@echo '           SECONDS=60 TARGET=fuzz_h1 (make fuzz), QUICK=1 (make bench)'
	@echo '           PARTS="unit scenario" (make test)'

deps: ## installs all packages: to build, test, lint and bench (apt-get)
	@sh tools/deps.sh build test browser lint bench

$(BUILD)/build.ninja:
	@sh tools/deps.sh --check build
	$(MESON) setup $(if $(WERROR),--werror) --prefix=$(PREFIX) $(RELEASE) $(BUILD)

$(TESTS)/build.ninja:
	@sh tools/deps.sh --check build test
	$(MESON) setup $(if $(WERROR),--werror) $(TESTS)

build: $(BUILD)/build.ninja ## builds the program: build/detour
	@$(PYTHON) tools/layers.py
	@ninja -C $(BUILD) program
	@test -x $(BUILD)/detour || ln -sf src/cli/detour $(BUILD)/detour

all: build $(TESTS)/build.ninja ## builds the program and everything that tests it
	@ninja -C $(TESTS)

run: ## installs what it needs, builds, and serves CONFIG on port 8307
	@sh tools/deps.sh build
	@$(MAKE) --no-print-directory build
	@echo
	@echo 'Detour will listen on http://127.0.0.1:8307; from another terminal, try:'
	@sed -n 's/^# *try: */  /p' $(CONFIG)
	@echo
	@exec $(BUILD)/detour serve -c $(CONFIG)

test: ## installs what it needs and runs every test
	@sh tools/deps.sh build test
	@sh tools/browser.sh
	@$(MAKE) --no-print-directory all
	@$(PYTHON) tools/testrun.py --build $(TESTS) --program $(BUILD)/detour $(PARTS)

test-slow: ## runs the scenarios that take more than some seconds each
	@sh tools/deps.sh build test
	@sh tools/places.sh
	@$(MAKE) --no-print-directory build
	@$(PYTHON) tools/testrun.py --build $(BUILD) --program $(BUILD)/detour --jobs 1 --pytest=-mslow scenario

bench: ## measures Detour beside a floor, nginx, HAProxy and h2o
	@sh tools/deps.sh build test bench
	@sh tools/places.sh
	@$(MAKE) --no-print-directory build
	@ninja -C $(BUILD) $(addprefix test/bench/,floor floor_h2 load load_h2 reader policy pools exists sign)
	@$(PYTHON) test/bench/run.py --build $(BUILD) $(if $(QUICK),--quick) $(PARTS)

conformance: ## judges curl, Python, Node and Chromium: doc/conformance.md, detour-clients(7)
	@sh tools/deps.sh build test
	@sh tools/browser.sh
	@$(MAKE) --no-print-directory build
	@$(PYTHON) test/conformance/table.py $(BUILD)/detour doc/conformance.md doc/man/detour-clients.7.scd

fuzz: ## fuzzes each target, or TARGET, for SECONDS with libFuzzer
	@sh tools/deps.sh build lint
	@sh tools/fuzz.sh build-fuzz $(SECONDS) $(TARGET)

format: ## lays out all C files
	@sh tools/deps.sh --check lint
	@git ls-files -co --exclude-standard '*.c' '*.h' | xargs clang-format -i

lint: ## formatting, clang-tidy, cppcheck, layers, shellcheck
	@sh tools/deps.sh build lint
	@$(MAKE) --no-print-directory $(TESTS)/build.ninja
	@$(PYTHON) tools/lint.py --build $(TESTS) $(if $(NODES),--nodes $(NODES))

install: build ## installs into DESTDIR and PREFIX
	@$(MESON) configure $(BUILD) -Dprefix=$(PREFIX)
	@ninja -C $(BUILD) program
	@DESTDIR='$(DESTDIR)' $(MESON) install -C $(BUILD) --no-rebuild

clean: ## removes everything that was built
	rm -rf $(BUILD) $(TESTS) build-*
