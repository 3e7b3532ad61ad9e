/* SPDX-License-Identifier: MIT */
/*
 * seccomp - a filter that comes upon a thread asleep in EXEC (TSYNC): the next request isn't run but
 * handed back, EXEC then refuses, and so does INIT.
 */
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include "kmod_table.h"

static void child(void *unused)
{
	struct sock_filter allow_all = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = {.len = 1, .filter = &allow_all};
	struct kmod_table table = make_kmod_table(4);
	struct own_table other = make_own_table(4);
	struct async_syscall_init init = init_of(&other);
	struct kmod_thread thread;

	(void)unused;
	enter_kmod(&thread, &table);
	call(&table, 0, SYS_getpid, 0, 0, 0);
	CHECK_EQUAL(take_result(&table.own, 0), getpid());
	wait_until_asleep(thread.tid);
	CHECK_EQUAL(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0)
		SKIP("this kernel has no seccomp filters\n");
	call(&table, 1, SYS_getpid, 0, 0, 0);
	CHECK_EQUAL(left_kmod(&thread), 2);
	CHECK_EQUAL(state_of(&table, 1), SYSCALL_EXECUTING);
	CHECK_EQUAL(exec_once(&table, 0), -EPERM);
	CHECK_EQUAL(CALL(open_device(), ASYNC_SYSCALL_INIT, &init), -EPERM);
}

int main(void)
{
	close(open_device());
	return in_child(child, NULL);
}
