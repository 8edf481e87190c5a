# What there is to do here. Each target is one script; read that for the details.
# Root is needed for machines and packages to be installed: called as somebody
# else, the scripts use sudo.

# `make demo SHELL=1` asks for a shell at the end of the demo. SHELL is also make's
# own name for the shell of its recipes, so the wish is taken out of it.
ifeq ($(SHELL),1)
override SHELL := /bin/bash
demo-shell := 1
endif
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help install-deps deb static machine demo test bench prove clean

help: ## say what there is to do
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 24

install-deps: ## install what building and testing need here
	@tests/bed/install

deb: install-deps ## build dist/pam-jit_VERSION_ARCH.deb
	@packaging/deb/build

static: install-deps ## build dist/jitctl-VERSION-ARCH for approvers' machines, which needs nothing of theirs
	@packaging/static/build

machine: deb ## boot a throwaway machine with the package installed, until Ctrl-C
	@tests/machine

demo: ## show the whole story on a throwaway machine (SHELL=1: stay in it)
	@DEMO_SHELL=$(demo-shell) tests/demo

test: ## run every test; the last line is the sum
	@tests/run

bench: install-deps ## measure what a check and a large policy cost
	@tests/bench

prove: install-deps ## run the long counts whose tables are in docs/
	@tests/prove

clean: ## remove what was built (the cached Debian tree stays)
	cargo clean
	rm -rf dist
