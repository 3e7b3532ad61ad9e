/* SPDX-License-Identifier: MIT */
/*
 * fall_back - a seccomp filter comes upon the library in mid-flight, or it becomes another user: the module
 * serves its threads no more, and they go on by themselves. Every call ends, whether it was submitted
 * before or after.
 */
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include "kmod_table.h"

enum { SLOTS = 64, BLOCKED = 4, ROUNDS_OF_CALLS = 200 };

static void run_calls(struct owner *owner)
{
	for (uint32_t round = 0; round < ROUNDS_OF_CALLS; round++) {
		int64_t results[SLOTS];

		for (uint32_t i = 0; i < SLOTS - BLOCKED; i++)
			CHECK(submit_quick(owner) >= 0);
		CHECK_EQUAL(async_syscall_ring(owner->table), 0);
		memset(results, 0, sizeof results);
		reap_all(owner, SLOTS - BLOCKED, results);
		for (uint32_t i = 0; i < SLOTS; i++)
			CHECK(results[i] == getpid() || results[i] == 0);
	}
}

/* Threads don't notice, and those that sleep sleep on. */
static void filter(void)
{
	struct sock_filter allow_all = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = {.len = 1, .filter = &allow_all};

	CHECK_EQUAL(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0)
		SKIP("this kernel has no seccomp filters\n");
}

/* libc has each thread do it, in the handler of a signal. */
static void become_somebody_else(void)
{
	if (geteuid() != 0)
		SKIP("only root can become somebody else\n");
	CHECK_EQUAL(setresuid(1, 1, 1), 0);
}

static void child(void *strike)
{
	struct owner owner = open_owner(SLOTS, 8, 60 * 1000);
	int64_t results[SLOTS];
	char bytes[BLOCKED];
	int32_t slots[BLOCKED];
	int ends[2];

	open_pipe(ends);
	run_calls(&owner);
	/* In the kernel when it comes. */
	for (uint32_t i = 0; i < BLOCKED; i++)
		slots[i] = submit_read(&owner, ends[0], &bytes[i], 1);
	CHECK_EQUAL(async_syscall_ring(owner.table), 0);
	WAIT_UNTIL(statistics(&owner).workers >= BLOCKED);
	(*(void (**)(void))strike)();
	run_calls(&owner);

	/* What was in the kernel goes on: one is cancelled, the others get their byte. */
	CHECK_EQUAL(cancel(&owner, slots[0]), -ECANCELED);
	CHECK_EQUAL(write(ends[1], "abc", BLOCKED - 1), BLOCKED - 1);
	reap_all(&owner, BLOCKED - 1, results);
	for (uint32_t i = 1; i < BLOCKED; i++)
		CHECK_EQUAL(results[slots[i]], 1);

	/* And so does what blocks from now on. */
	slots[0] = submit_read(&owner, ends[0], bytes, 1);
	CHECK_EQUAL(async_syscall_ring(owner.table), 0);
	run_calls(&owner);
	CHECK_EQUAL(cancel(&owner, slots[0]), -ECANCELED);
	WAIT_UNTIL(library_is_asleep());
	close_owner(&owner);
}

int main(void)
{
	static void (*const strikes[])(void) = {filter, become_somebody_else};
	int status = 0;

	close(open_device());
	setenv("ASYNCSYS_EXECUTOR", "kmod", 1);
	for (size_t i = 0; i < sizeof strikes / sizeof strikes[0] && status == 0; i++)
		status = in_child(child, (void *)&strikes[i]);
	return status;
}
