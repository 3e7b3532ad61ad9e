// SPDX-License-Identifier: GPL-2.0-only
/*
 * policy.c - which calls may run here, and whose.
 *
 * The module must be no way round anything. Seccomp, system-call tracing, audit and
 * user dispatch sit at the entry to the kernel, which a request doesn't pass, so a task
 * that any of them watches is refused. Everything behind the entry (permissions,
 * security modules, name spaces, limits) is in the system-call functions themselves and
 * works as ever.
 *
 * The calls that may run are those with the trait `kernel` in native/syscalls.tbl.
 * Others are not forbidden: the thread gets them back, and makes a real system call.
 */
#include <linux/bitmap.h>
#include <linux/nospec.h>
#include <linux/syscalls.h>

#include "compat.h"
#include "module.h"

static const u16 allowed_numbers[] = {
#include "allowed.h"
};

static DECLARE_BITMAP(allowed, NR_syscalls) __ro_after_init;

void __init policy_init(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(allowed_numbers); i++)
		if (allowed_numbers[i] < NR_syscalls)
			__set_bit(allowed_numbers[i], allowed);
}

/*
 * A number that there is no call for may run as well: it gives ENOSYS. What is no system
 * call at all the process runs itself.
 */
bool policy_may_run(u32 num)
{
	if (num >= NR_syscalls)
		return num < ASYNC_SYSCALL_COMPOUND;
	return test_bit(array_index_nospec(num, NR_syscalls), allowed);
}

bool policy_is_watched(void)
{
	return READ_ONCE(current_thread_info()->syscall_work) & COMPAT_WATCHING_WORK;
}

/* The task of INIT, or a thread that has the same memory and the same rights. */
bool policy_is_owner(const struct context *context)
{
	return current->mm == context->mm && current_cred() == context->cred;
}
