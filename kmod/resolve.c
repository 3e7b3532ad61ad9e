// SPDX-License-Identifier: GPL-2.0-only
/*
 * resolve.c - the kernel's system-call functions.
 *
 * The kernel exports neither its table of system calls nor task_work_run(). A disabled
 * kprobe tells where kallsyms_lookup_name() is, and that where the others are. Nothing
 * is believed that can be checked: the probe's address must be that of the function,
 * and entries of the table must be the functions that they are supposed to be. Where
 * anything is in doubt the module isn't loaded, and says why.
 *
 * The two single functions are called through static calls, which are direct. The system
 * call itself is an indirect call through the table, as it was for long at the kernel's
 * own entry: its functions begin with ENDBR, and have the type of the table's entries, for
 * CET and kCFI to check; the compiler makes a retpoline of it where that is wanted.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/nospec.h>
#include <linux/sched/signal.h>
#include <linux/static_call.h>
#include <linux/syscalls.h>
#include <linux/task_work.h>
#include <asm/syscall.h>

#include "module.h"

#ifndef CONFIG_X86_64
#error "async_syscall is for x86_64: it passes arguments in its struct pt_regs"
#endif

static unsigned long no_lookup_name(const char *name)
{
	return 0;
}

static void no_task_work_run(void)
{
}

DEFINE_STATIC_CALL(lookup_name, no_lookup_name);
DEFINE_STATIC_CALL(task_work_run_call, no_task_work_run);

static const sys_call_ptr_t *call_table __ro_after_init;

/* Whether the address is that of the function, and not of something near it. */
static bool __init is_symbol(unsigned long address, const char *name)
{
	char found[KSYM_SYMBOL_LEN];
	size_t length = strlen(name);

	sprint_symbol(found, address);
	return !strncmp(found, name, length) && !strncmp(found + length, "+0x0/", 5);
}

static unsigned long __init find_lookup_name(void)
{
	struct kprobe probe = {
		.symbol_name = "kallsyms_lookup_name",
		.flags = KPROBE_FLAG_DISABLED,
	};
	unsigned long address;

	if (register_kprobe(&probe))
		return 0;
	address = (unsigned long)probe.addr;
	unregister_kprobe(&probe);
	/* Where functions begin with ENDBR, a probe stands behind it. */
	if (!is_symbol(address, "kallsyms_lookup_name"))
		address -= 4;
	return is_symbol(address, "kallsyms_lookup_name") ? address : 0;
}

static unsigned long __init find_symbol(const char *name)
{
	unsigned long address = static_call(lookup_name)(name);

	if (!address)
		pr_err("no symbol %s in this kernel: not loaded\n", name);
	return address;
}

/*
 * Spot checks all over the table: a wrong table, or one of another layout, doesn't
 * pass.
 */
static bool __init check_call_table(void)
{
	static const struct {
		u32 num;
		const char *name;
	} samples[] = {
		{ __NR_read, "__x64_sys_read" },
		{ __NR_getpid, "__x64_sys_getpid" },
		{ __NR_pread64, "__x64_sys_pread64" },
		{ __NR_openat2, "__x64_sys_openat2" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		void *address = (void *)call_table[samples[i].num];

		/* By address: a function without arguments has several names. */
		if ((unsigned long)address != find_symbol(samples[i].name)) {
			pr_err("sys_call_table[%u] is %pS instead of %s: not loaded\n",
			       samples[i].num, address, samples[i].name);
			return false;
		}
	}
	return true;
}

int __init resolve_init(void)
{
	unsigned long address = find_lookup_name();

	if (!address) {
		pr_err("kprobes don't tell where kallsyms_lookup_name is: not loaded\n");
		return -ENOENT;
	}
	static_call_update(lookup_name, (void *)address);
	address = find_symbol("task_work_run");
	if (!address)
		return -ENOENT;
	static_call_update(task_work_run_call, (void *)address);
	call_table = (const sys_call_ptr_t *)find_symbol("sys_call_table");
	if (!call_table || !check_call_table())
		return -ENOENT;
	return 0;
}

/*
 * The paper's function: arguments into the register structure, and the function of the
 * number.
 */
s64 do_syscall(const struct call *call)
{
	const struct pt_regs regs = {
		.di = call->arg[0],
		.si = call->arg[1],
		.dx = call->arg[2],
		.r10 = call->arg[3],
		.r8 = call->arg[4],
		.r9 = call->arg[5],
		.orig_ax = call->num,
		.ax = -ENOSYS,
	};

	if (call->num >= NR_syscalls)
		return -ENOSYS;
	return call_table[array_index_nospec(call->num, NR_syscalls)](&regs);
}

/*
 * What io_uring's io_run_task_work() does. The flag without any work is livepatch's,
 * and stays.
 */
void run_task_works(void)
{
	if (!task_work_pending(current))
		return;
	clear_notify_signal();
	static_call(task_work_run_call)();
}
