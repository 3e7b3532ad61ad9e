# The short names for everything: `make help`. Each target does all of its own set-up, and nothing writes outside build/.
#
# Set-up has two stages, because what the second one builds depends on what the first one finds: tools/packages brings
# the programs that a target needs, then tools/interpreters looks for CPythons, and a make below this one gets them as
# INTERPRETERS. Stamp files keep the second run short.

SHELL := bash
.SHELLFLAGS := -euc
MAKEFLAGS += --no-builtin-rules --no-print-directory
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# Of your choice: make test PYTHON="3.11 3.13" JOBS=1, make test-kmod KERNELS=6.12, make demo PYTHON=3.13, make serve DIR=/srv PORT=8080 OPTIONS="…"
PYTHON :=
JOBS := $(shell nproc)
# The kernels that `make test-kmod` boots in guests.
KERNELS := 6.1 6.12
DIR := .
PORT := 8000
OPTIONS :=

export PYTHONPYCACHEPREFIX := $(CURDIR)/build/pycache
export PYTHONDONTWRITEBYTECODE :=
export HYPOTHESIS_STORAGE_DIRECTORY := $(CURDIR)/build/hypothesis
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

build_packages := gcc libc6-dev python3-dev python3-venv
test_packages := $(build_packages) curl wrk chromium chromium-driver
bench_packages := nginx wrk

define set_up # packages, targets
@tools/packages $(1)
@interpreters=$$(tools/interpreters $(PYTHON)); $(MAKE) -j$(JOBS) INTERPRETERS="$$interpreters" $(2)
endef

.PHONY: help demo serve test test-kmod test-kmod-all lint format coverage native ctests bench bench-quick docs dist clean
help: ## list these names
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## serve a directory tree, fetch and compare every file, show the figures
	$(call set_up,$(build_packages),run_demo)

serve: ## serve a directory until Ctrl-C: make serve DIR=. PORT=8000
	$(call set_up,$(build_packages),run_serve)

test: ## lint, C tests with sanitizers, pytest on each CPython, executor and base loop; in guests, what tests the kernel module
	@rm -rf build/log
	$(call set_up,$(test_packages) perl,ready_test try_guests)
	@status=0; interpreters=$$(tools/interpreters $(PYTHON)); \
	    $(MAKE) -k -j$(JOBS) INTERPRETERS="$$interpreters" lint_steps c_steps package_step pytest_steps quick_guest_steps || status=$$?; \
	    tools/step --sum && exit $$status

test-kmod: ## the kernel module in guests: its C tests, the library's, all of pytest, the demo, kernel entries; lint, dkms
	@rm -rf build/log
	$(call set_up,$(test_packages) perl,ready_test ready_guests)
	@status=0; interpreters=$$(tools/interpreters $(PYTHON)); \
	    $(MAKE) -k -j$(JOBS) INTERPRETERS="$$interpreters" kmod-lint kmod-dkms guest_steps \
	    kmod-entries-$(lastword $(KERNELS)) || status=$$?; \
	    tools/step --sum && exit $$status

test-kmod-all: ## the kernel module on each kernel there is, debug included, with fuzzers
	@rm -rf build/log
	$(call set_up,$(test_packages) perl,ready_test ready_guests KERNELS="6.1 6.12 newest debug")
	@status=0; interpreters=$$(tools/interpreters $(PYTHON)); \
	    $(MAKE) -k -j$(JOBS) INTERPRETERS="$$interpreters" KERNELS="6.1 6.12 newest" guest_steps kmod-c-debug \
	    kmod-fuzz-newest kmod-fuzz-debug || status=$$?; \
	    tools/step --sum && exit $$status

lint: ## ruff, mypy, pyright, clang-format, clang-tidy, shellcheck; sparse and checkpatch for the kernel module
	@rm -rf build/log
	$(call set_up,$(build_packages) perl,ready_lint try_guests KERNELS=)
	@status=0; interpreters=$$(tools/interpreters $(PYTHON)); \
	    $(MAKE) -k -j$(JOBS) INTERPRETERS="$$interpreters" lint_steps || status=$$?; \
	    tools/step --sum && exit $$status

format: ## rewrite Python and C files as lint wants them
	$(call set_up,$(build_packages),run_format)

coverage: ## pytest once, with the lines and branches that it doesn't reach
	$(call set_up,$(test_packages),run_coverage)

native: ## bring the native module up to date in every build/venv-3.X
	$(call set_up,$(build_packages),ready_native)

ctests: ## the C tests alone; make ctests VARIANT=thread C_TESTS=native/tests/x.c
	@tools/packages gcc libc6-dev
	@for variant in $(if $(VARIANT),$(VARIANT),$(c_variants)); do \
	    echo "… $$variant"; $(MAKE) -j$(JOBS) VARIANT=$$variant run_c_tests; done

bench: ## all peers and cases in 25 minutes, on a quiet machine: tables, and results and charts in build/bench
	@tools/packages $(bench_packages) || echo "Without $(bench_packages), the file server will NOT BE MEASURED." >&2
	$(call set_up,$(build_packages),run_bench)

bench-quick: ## the same in two minutes, to see whether something has changed
	@$(MAKE) bench OPTIONS="--quick $(OPTIONS)"

docs: ## regenerate what is generated in docs/ and in the type stubs
	$(call set_up,$(build_packages),run_docs)

dist: ## the sdist and the wheel, in build/dist
	$(call set_up,$(build_packages),run_dist)

clean: ## remove build/
	rm -rf build

include $(wildcard kmod/vm/vm.mk)

# ---- the second stage: INTERPRETERS is set ----------------------------------------------------------------------------

versions := $(foreach interpreter,$(INTERPRETERS),$(firstword $(subst =, ,$(interpreter))))
interpreter = $(patsubst $(1)=%,%,$(filter $(1)=%,$(INTERPRETERS)))
# The oldest one is the strictest about syntax and types; it runs all but the matrix.
venv := build/venv-$(firstword $(versions))
python := $(venv)/bin/python

python_files := $(wildcard asyncsys_loop tests examples benchmarks native/*.py tools/*.py kmod/vm/vm setup.py)
c_sources := $(wildcard native/*.c)
# Against CPython's API: no part of the C tests.
engine_sources := $(wildcard native/engine/*.c)
c_tests := $(wildcard native/tests/*.c)
C_TESTS := $(c_tests)
c_files := $(c_sources) $(c_tests) $(engine_sources) $(wildcard native/*.h native/*/*.h)
# The module's own sources are checkpatch's.
formatted_files := $(c_files) $(wildcard kmod/tests/*.[ch] benchmarks/*/*.c)
shell_files := .ci/run $(filter-out %.py,$(wildcard tools/*)) $(wildcard kmod/vm/init)

# What is installed, by purpose. The native module goes into the environment alone: the package itself is the checkout's.
build/venv-%/pyvenv.cfg:
	@echo "… making build/venv-$*"
	@$(call interpreter,$*) -m venv build/venv-$*

# Each purpose adds to the one before it: examples, then the native module, then test, then lint.
define install
	@echo "… build/venv-$*: installing what $(1) needs"
	@$(@D)/bin/python tools/requirements.py $(1) >$(@D)/$(1).txt
	@$(@D)/bin/python -m pip install -qq --requirement $(@D)/$(1).txt
	@touch $@
endef
requirements := pyproject.toml tools/requirements.py
native_sources := setup.py pyproject.toml $(wildcard native/*.[ch] native/*/*.[ch] native/*.py native/*.tbl)

build/venv-%/examples.stamp: $(requirements) | build/venv-%/pyvenv.cfg
	$(call install,examples)

build/venv-%/native.stamp: $(native_sources) build/venv-%/examples.stamp
	@echo "… build/venv-$*: building the native module"
	@$(@D)/bin/python setup.py --quiet build_ext --force --build-temp build/native-$* \
	    --build-lib $(@D)/lib/python*/site-packages
	@touch $@

build/venv-%/test.stamp: build/venv-%/native.stamp
	$(call install,test)

build/venv-%/bench.stamp: build/venv-%/native.stamp
	$(call install,bench)

build/venv-%/lint.stamp: build/venv-%/test.stamp
	$(call install,lint)

.PRECIOUS: build/venv-%/pyvenv.cfg build/venv-%/examples.stamp build/venv-%/native.stamp build/venv-%/test.stamp build/venv-%/bench.stamp
.PHONY: ready_native ready_test ready_lint run_demo run_serve run_format run_coverage run_bench run_docs run_dist
ready_native: $(versions:%=build/venv-%/native.stamp)
ready_lint: $(venv)/lint.stamp
ready_test: ready_lint $(versions:%=build/venv-%/test.stamp)

run_demo: $(venv)/native.stamp
	@$(python) -m examples.demo $(OPTIONS)

run_serve: $(venv)/native.stamp
	@$(python) -m examples.file_server $(DIR) --port $(PORT) $(OPTIONS)

run_format: $(venv)/lint.stamp
	@$(python) -m ruff check --quiet --fix-only $(python_files)
	@$(python) -m ruff format --quiet $(python_files)
	@$(venv)/bin/clang-format -i $(formatted_files)

run_coverage: $(venv)/test.stamp
	@$(python) -m coverage run -m pytest -q
	@$(python) -m coverage report --show-missing

run_bench: $(venv)/bench.stamp
	@$(python) -m benchmarks run $(OPTIONS)

run_docs: $(venv)/native.stamp
	@$(python) native/syscalls_table.py docs
	@$(python) native/syscalls_table.py stub
	@$(python) native/state_diagram.py

# From a copy: setuptools leaves its egg-info beside pyproject.toml.
run_dist: $(venv)/lint.stamp
	@rm -rf build/source build/dist && mkdir -p build/source
	@cp -r setup.py pyproject.toml MANIFEST.in LICENSE README.md asyncsys_loop native build/source
	@$(python) -m build --quiet --no-isolation --outdir build/dist build/source
	@ls build/dist

# The trees that were asked for, if all are there.
vm_dir := $(or $(VM_DIR),build/vm)
have_trees = $(if $(filter-out $(wildcard $(1:%=$(vm_dir)/%/made-of)),$(1:%=$(vm_dir)/%/made-of)),,$(1))

# ---- lint -------------------------------------------------------------------------------------------------------------

lint_steps := ruff-check ruff-format mypy pyright clang-format clang-tidy shellcheck generated
ifneq ($(call have_trees,checkpatch 6.1),)
lint_steps += kmod-lint
endif
.PHONY: lint_steps $(lint_steps) kmod-lint kmod-dkms
lint_steps: $(lint_steps)
ruff-check:   ; @tools/step $@ $(python) -m ruff check $(python_files)
ruff-format:  ; @tools/step $@ $(python) -m ruff format --check $(python_files)
mypy:         ; @tools/step $@ $(python) -m mypy $(python_files)
pyright:      ; @PYTHONPATH=$(CURDIR) tools/step $@ $(venv)/bin/pyright --pythonpath $(python) --ignoreexternal --verifytypes asyncsys_loop
clang-format: ; @tools/step $@ $(venv)/bin/clang-format --dry-run --Werror $(formatted_files)
clang-tidy:   ; @tools/step $@ $(venv)/bin/clang-tidy --quiet $(c_sources) $(c_tests) $(engine_sources) -- $(c_flags) $(python_include)
shellcheck:   ; @tools/step $@ $(venv)/bin/shellcheck --exclude=SC1091 $(shell_files)
kmod-lint:    ; @tools/step $@ $(MAKE) -C kmod lint
kmod-dkms:    ; @tools/step $@ kmod/vm/vm dkms
generated:    ; @tools/step $@ sh -c '$(python) native/syscalls_table.py check && $(python) native/state_diagram.py --check'

# ---- C tests: one behaviour per program, as built for users and under the sanitizers -----------------------------------

python_include = -isystem $(shell $(python) -c 'import sysconfig; print(sysconfig.get_path("include"))')
c_variants := plain thread address
c_flags := -std=c11 -O2 -g -pthread -Wall -Wextra -Werror -Inative/include -Inative
c_flags_plain :=
c_flags_thread := -fsanitize=thread
c_flags_address := -fsanitize=address,undefined -fno-sanitize-recover=all

c_steps := $(c_variants:%=c-%)
.PHONY: c_steps $(c_steps)
c_steps: $(c_steps)
$(c_steps): c-%:
	@tools/step $@ $(MAKE) VARIANT=$* run_c_tests

c_objects := $(c_sources:native/%.c=build/c/$(VARIANT)/%.o)
c_programs := $(C_TESTS:native/tests/%.c=build/c/$(VARIANT)/tests/%)
.PHONY: run_c_tests
.SECONDARY: $(c_objects)
run_c_tests: $(c_programs)
	@tools/c-tests $^

build/c/$(VARIANT)/%.o: native/%.c $(filter %.h,$(c_files))
	@mkdir -p $(@D)
	@$(CC) $(c_flags) $(c_flags_$(VARIANT)) -c -o $@ $<

build/c/$(VARIANT)/tests/%: native/tests/%.c $(c_objects) $(filter %.h,$(c_files))
	@mkdir -p $(@D)
	@$(CC) $(c_flags) $(c_flags_$(VARIANT)) -o $@ $< $(c_objects)

# ---- pytest: on each executor, both base loops, with the fast path and all through the table; the CPythons take turns -----

executors = $(shell $(python) -m asyncsys_loop --json | $(python) -c 'import json, sys; \
    print(*(name for name, found in json.load(sys.stdin)["executors"].items() if found["usable"]))')
turns = $(versions) $(versions) $(versions) $(versions)
pytest_matrix = $(foreach e,$(executors),pytest-$(word 1,$(turns))-$(e)-uvloop-inline \
    pytest-$(word 2,$(turns))-$(e)-asyncio-table pytest-$(word 3,$(turns))-$(e)-uvloop-table \
    pytest-$(word 4,$(turns))-$(e)-asyncio-inline \
    $(foreach v,$(wordlist 5,99,$(versions)),pytest-$(v)-$(e)-uvloop-inline))

.PHONY: pytest_steps
pytest_steps:
	@$(if $(executors),,echo "no executor is available: run $(python) -m asyncsys_loop"; exit 1)
	@$(python) -m asyncsys_loop | sed -n 's/^  - /NOT TESTED: /p'
	@$(MAKE) $(pytest_matrix) BROWSER=$(firstword $(pytest_matrix))

pytest-%: words = $(subst -, ,$@)
pytest-%:
	@ASYNCSYS_EXECUTOR=$(word 3,$(words)) ASYNCSYS_BASE=$(word 4,$(words)) \
	    ASYNCSYS_FAST_PATH=$(if $(filter inline,$(word 5,$(words))),1,0) tools/step $@ \
	    timeout --kill-after=10 1800 build/venv-$(word 2,$(words))/bin/python -m pytest -q \
	    -o cache_dir=build/pytest_cache/$@ $(if $(filter $@,$(BROWSER)),,-m "not browser")

# ---- guests: the kernel module's C tests, the library's C tests on it, and pytest on it, for each kernel ----------------

# Each kernel has one of the base loops, and the fast path or not. A guest without hardware virtualisation is ten to
# twenty times slower, so time limits are longer there, and tests that only repeat themselves or generate examples do it
# less often.
guest_base_6.1 := uvloop
guest_base_6.12 := asyncio
guest_base_newest := uvloop
guest_fast_path_6.1 := 1
guest_fast_path_6.12 := 0
guest_fast_path_newest := 0
guest_pytest = ASYNCSYS_EXECUTOR=kmod ASYNCSYS_BASE=$(guest_base_$*) ASYNCSYS_FAST_PATH=$(guest_fast_path_$*) \
    ASYNCSYS_TIME_SCALE=20 PYTEST_TIMEOUT=600 ASYNCSYS_STRESS=20000 ASYNCSYS_EXAMPLES=0.02 \
    HYPOTHESIS_STORAGE_DIRECTORY=/tmp/hypothesis PYTHONPYCACHEPREFIX=$(PYTHONPYCACHEPREFIX) \
    python -m pytest -q -o cache_dir=/tmp/cache -m "not browser and not model"
# What `make test` has time for: the files that test what an executor does, rather than what is built on it.
quick_tests := $(patsubst %,tests/test_%.py,syscall engine executors cancellation os_cancellation ending compound)
kmod_tests := $(patsubst kmod/tests/%.c,build/kmod-tests/%,$(filter-out $(wildcard kmod/tests/fuzz_*.c),$(wildcard kmod/tests/*.c)))
native_tests := $(patsubst native/tests/%.c,build/c/plain/tests/%,$(c_tests))
fuzzers := build/kmod-tests/fuzz_ioctl build/kmod-tests/fuzz_slots

.PHONY: ready_guests try_guests guest_steps quick_guest_steps
# The bytecode of the tests is cached out here, where that takes seconds.
ready_guests: $(venv)/test.stamp
	@kmod/vm/vm fetch tools checkpatch $(KERNELS)
	@$(MAKE) -C kmod tests && $(MAKE) VARIANT=plain $(native_tests)
	@$(python) -m pytest --collect-only -q -o cache_dir=build/pytest_cache/collect >/dev/null

# What there is to be had. A machine without a Debian mirror tests the rest.
# After the environment is made: the make below would make it, too, at the same time.
try_guests: $(venv)/test.stamp
	@$(if $(KERNELS),$(MAKE) ready_guests,kmod/vm/vm fetch checkpatch 6.1) || { \
	    echo "NOT TESTED: the kernel module: no kernels or tools for guests, for the reason above"; }

guest_steps: $(KERNELS:%=kmod-pytest-%) $(KERNELS:%=kmod-c-%) $(KERNELS:%=kmod-demo-%)
	@true

quick_guest_steps: $(foreach k,$(call have_trees,tools $(KERNELS)),$(if $(filter $(k),$(KERNELS)),kmod-c-$(k) kmod-quick-$(k)))
	@$(if $(call have_trees,tools $(KERNELS)),,echo "NOT TESTED: the kernel module: there are no guests")

kmod-pytest-%:
	@tools/step $@ kmod/vm/vm run --timeout 7200 --venv $(venv) $* '$(guest_pytest)'

kmod-quick-%:
	@tools/step $@ kmod/vm/vm run --timeout 1800 --venv $(venv) $* '$(guest_pytest) $(quick_tests)'

kmod-demo-%:
	@tools/step $@ kmod/vm/vm run --venv $(venv) $* 'python -m examples.demo --executor kmod --files 200 --rounds 1'

kmod-entries-%:
	@tools/step $@ $(python) -m benchmarks.kernel_entries --check $*

kmod-c-%:
	@tools/step $@ kmod/vm/vm run --timeout 3000 $* 'tools/c-tests $(kmod_tests) && \
	    ASYNCSYS_TIME_SCALE=$(if $(filter debug,$*),200,20) ASYNCSYS_EXECUTOR=kmod tools/c-tests $(native_tests)'

kmod-fuzz-%:
	@tools/step $@ kmod/vm/vm run --timeout 3000 $* 'C_TEST_SECONDS=1400 tools/c-tests $(fuzzers)'

# ---- what a user installs: the sdist, in an empty environment ----------------------------------------------------------

.PHONY: package_step run_package
package_step:
	@tools/step package $(MAKE) run_package

run_package: run_dist
	ls build/dist/asyncsys_loop-*-cp311-abi3-linux_*.whl
	rm -rf build/empty && $(python) -m venv build/empty
	build/empty/bin/python -m pip install -qq build/dist/*.tar.gz
	cd / && $(CURDIR)/build/empty/bin/python -m asyncsys_loop
