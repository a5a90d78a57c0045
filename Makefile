# Names for what scripts/ does; each script has --help.
.PHONY: help setup test unit lint kernel demo generate

help:        ## this list
	@sed -n 's/^\([a-z]*\): *## /  make \1\t/p' $(MAKEFILE_LIST)

setup:       ## install what kemu needs (root)
	scripts/setup

demo:        ## make a cluster, look at it, remove it (root)
	scripts/demo

test:        ## everything (root)
	scripts/test

unit:        ## the tests that need no root
	scripts/test --unit

lint:        ## ruff, mypy, shellcheck
	scripts/test --lint

kernel:      ## the tests that make network namespaces (root)
	scripts/test --kernel

generate:    ## write the generated parts of the documentation
	.venv/bin/python scripts/generate
