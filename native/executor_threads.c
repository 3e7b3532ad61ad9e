/* SPDX-License-Identifier: MIT */
/*
 * executor_threads.c - the executor that works everywhere: exec.c, in threads of the process.
 *
 * Interrupting a call takes a signal with a handler that does nothing and that was installed
 * without SA_RESTART, so that the call ends with EINTR. Exec threads block every other signal.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "atomics.h"
#include "exec.h"
#include "executor.h"
#include "interrupt_signal.h"

static int installed_signal;

static void interrupted(int signal_number)
{
	(void)signal_number;
}

static void install_once(void)
{
	struct sigaction present;
	struct sigaction action = {.sa_handler = interrupted};

	sigfillset(&action.sa_mask);
	/* From the top: whoever else takes a real-time signal mostly counts up from SIGRTMIN. */
	for (int candidate = SIGRTMAX; candidate >= SIGRTMIN; candidate--) {
		if (sigaction(candidate, NULL, &present) != 0)
			continue;
		if ((present.sa_flags & SA_SIGINFO) != 0 || present.sa_handler != SIG_DFL)
			continue;
		if (sigaction(candidate, &action, NULL) == 0) {
			installed_signal = candidate;
			return;
		}
	}
}

int interrupt_signal(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, install_once);
	return installed_signal;
}

static int threads_start(struct async_syscall_control *control, void **handle)
{
	if (interrupt_signal() == 0)
		return -EBUSY; /* every real-time signal is taken */
	*handle = control;
	return 0;
}

static int threads_exec(void *handle, uint32_t idle_milliseconds)
{
	return async_syscall_exec(handle, idle_milliseconds);
}

static void threads_ring(void *handle)
{
	exec_ring_doorbell(handle);
}

int exec_interrupt(struct async_syscall_control *control, uint32_t slot)
{
	__u32 *runner = &table_view(control).runner[slot];
	__u32 expected = load_acquire(runner);
	int result;

	if (expected == 0)
		return -EAGAIN;
	/* From here to the store below the thread waits for us, and so is still there to be told. */
	if (!compare_and_swap(runner, &expected, expected | RUNNER_SIGNALLING))
		return -EAGAIN;
	result = (int)syscall(SYS_tgkill, getpid(), expected & RUNNER_THREAD, interrupt_signal());
	if (result != 0)
		result = -errno;
	store_release(runner, (expected & RUNNER_THREAD) | RUNNER_SIGNALLED);
	return result;
}

static int threads_interrupt(void *handle, uint32_t slot)
{
	return exec_interrupt(handle, slot);
}

static void threads_stop(void *handle)
{
	(void)handle;
}

const struct async_syscall_executor async_syscall_executor_threads = {
    .name = "threads",
    .start = threads_start,
    .exec = threads_exec,
    .ring = threads_ring,
    .interrupt = threads_interrupt,
    .stop = threads_stop,
};
