/* SPDX-License-Identifier: MIT */
/*
 * ptrace - a debugger attaches to a thread inside EXEC: it stops as any thread does. A call isn't lost by
 * that. Once its system calls are traced, EXEC refuses it; the call that it is in comes back before.
 */
#define _GNU_SOURCE
#include <sys/ptrace.h>

#include "kmod_table.h"

static void wait_for_stop(pid_t thread)
{
	int status;

	CHECK_EQUAL(waitpid(thread, &status, __WALL), thread);
	CHECK(WIFSTOPPED(status));
}

static void attach(pid_t thread)
{
	CHECK_EQUAL(ptrace(PTRACE_SEIZE, thread, 0, 0), 0);
	CHECK_EQUAL(ptrace(PTRACE_INTERRUPT, thread, 0, 0), 0);
	wait_for_stop(thread);
}

static void say(int fd)
{
	CHECK_EQUAL(write(fd, "x", 1), 1);
}

static void hear(int fd)
{
	char byte;

	CHECK_EQUAL(read(fd, &byte, 1), 1);
}

static void be_traced(bool in_call, int from_tracer, int to_tracer)
{
	struct kmod_table table = make_kmod_table(4);
	struct kmod_thread exec_thread;
	int ends[2];
	char byte;

	enter_kmod(&exec_thread, &table);
	open_pipe(ends);
	call(&table, 0, SYS_read, ends[0], (intptr_t)&byte, 1);
	wait_until_blocked(&table, 0, exec_thread.tid);
	CHECK_EQUAL(write(to_tracer, &exec_thread.tid, sizeof exec_thread.tid), sizeof exec_thread.tid);
	hear(from_tracer); /* it was attached, stopped, and let go */
	if (!in_call) {
		CHECK_EQUAL(write(ends[1], "x", 1), 1);
		CHECK_EQUAL(wait_for(&table, 0), 1);
	}
	say(to_tracer);
	hear(from_tracer); /* it is traced */
	if (!in_call) {
		call(&table, 1, SYS_getpid, 0, 0, 0);
		CHECK_EQUAL(left_kmod(&exec_thread), -EPERM);
		CHECK_EQUAL(state_of(&table, 1), SYSCALL_HASCALL);
	} else {
		CHECK_EQUAL(left_kmod(&exec_thread), 1);
		CHECK_EQUAL(state_of(&table, 0), SYSCALL_EXECUTING);
	}
	_exit(0);
}

static void run(bool in_call)
{
	int to_tracee[2];
	int to_tracer[2];
	pid_t child;
	pid_t thread;
	int status;

	open_pipe(to_tracee);
	open_pipe(to_tracer);
	child = fork();
	CHECK(child >= 0);
	if (child == 0)
		be_traced(in_call, to_tracee[0], to_tracer[1]);
	CHECK_EQUAL(read(to_tracer[0], &thread, sizeof thread), sizeof thread);
	attach(thread);
	CHECK_EQUAL(ptrace(PTRACE_DETACH, thread, 0, 0), 0);
	say(to_tracee[1]);
	hear(to_tracer[0]);

	attach(thread);
	CHECK_EQUAL(ptrace(PTRACE_SYSCALL, thread, 0, 0), 0);
	wait_for_stop(thread); /* at an entry or an exit: it leaves EXEC and comes in again */
	say(to_tracee[1]);
	/* Until the whole process has ended: every stop goes on. */
	for (;;) {
		pid_t pid;

		ptrace(PTRACE_SYSCALL, thread, 0, 0);
		pid = waitpid(-1, &status, __WALL);
		CHECK(pid == thread || pid == child);
		if (pid == child)
			break;
	}
	CHECK_EQUAL(status, 0);
}

int main(void)
{
	close(open_device());
	run(false);
	run(true);
	return 0;
}
