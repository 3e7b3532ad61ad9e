# Targets that run things in a guest kernel, for the top Makefile to include. README.md beside this
# file is their manual.

KERNEL ?= 6.1
MODULE ?= kmod
VM_OPTIONS ?=
vm_program := $(dir $(lastword $(MAKEFILE_LIST)))vm

.PHONY: vm vm-shell vm-kernels vm-clean

# Through the environment, so that no shell but the guest's reads the command.
vm: export VM_COMMAND = $(value CMD)
vm: ## run CMD in a guest: KERNEL=6.1|6.12|newest|debug MODULE=kmod|none
	@$(vm_program) run --module $(MODULE) $(VM_OPTIONS) $(KERNEL) "$$VM_COMMAND"

vm-shell: ## a shell in a guest
	@$(vm_program) shell --module $(MODULE) $(VM_OPTIONS) $(KERNEL)

vm-kernels: ## download all kernels and build the debug kernel, so that later runs need no network
	@$(vm_program) fetch

vm-clean: ## remove all that the guests need: kernels, tools, logs
	rm -rf "$${VM_DIR:-build/vm}"
