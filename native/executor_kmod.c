/* SPDX-License-Identifier: MIT */
/*
 * executor_kmod.c - the kernel module: exec threads sit inside the kernel, in an ioctl on its
 * device.
 *
 * The module runs most calls, not all: see `kernel` in syscalls.tbl. Those it hands back, claimed,
 * and the exec thread makes a real system call of them. And where the module comes to refuse the
 * task (a debugger traces it, it has got a seccomp filter or other credentials), the thread goes on
 * as one of the threads executor, on the same table. So all calls work and none is lost, whatever
 * happens; only what they cost differs.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "atomics.h"
#include "exec.h"
#include "executor.h"
#include "futex.h"
#include "interrupt_signal.h"

struct kmod {
	struct async_syscall_control *control;
	int fd;
	__u32
	    native_threads; /* exec threads that the module has refused, and that sleep on the futex */
};

static int kmod_start(struct async_syscall_control *control, void **handle)
{
	struct async_syscall_init init = {
	    .abi_version = control->abi_version,
	    .address = (__u64)(uintptr_t)control,
	    .slots = control->slots,
	    .event_fd = control->event_fd,
	};
	struct kmod *kmod;
	int error;

	if (interrupt_signal() == 0)
		return -EBUSY; /* every real-time signal is taken */
	kmod = calloc(1, sizeof *kmod);
	if (kmod == NULL)
		return -ENOMEM;
	kmod->control = control;
	kmod->fd = open(ASYNC_SYSCALL_DEVICE, O_RDWR | O_CLOEXEC);
	if (kmod->fd < 0) {
		error = -errno;
		free(kmod);
		return error;
	}
	if (ioctl(kmod->fd, ASYNC_SYSCALL_INIT, &init) != 0) {
		error = -errno;
		close(kmod->fd);
		free(kmod);
		return error;
	}
	*handle = kmod;
	return 0;
}

static int kmod_exec(void *handle, uint32_t idle_milliseconds)
{
	const struct async_syscall_exec exec = {.idle_milliseconds = idle_milliseconds};
	struct kmod *kmod = handle;

	for (;;) {
		int result = ioctl(kmod->fd, ASYNC_SYSCALL_EXEC, &exec);

		if (result == 0)
			return 0;
		if (result > 0)
			exec_run_claimed(kmod->control, (uint32_t)result - 1);
		else if (errno == ETIME)
			return -ETIME;
		else if (errno != EINTR)
			break;
	}
	/* Counted before the thread looks for a token: who rings sees the one or the other. */
	add_sequential(&kmod->native_threads, 1);
	int result = async_syscall_exec(kmod->control, idle_milliseconds);
	subtract_sequential(&kmod->native_threads, 1);
	return result;
}

static void kmod_ring(void *handle)
{
	struct kmod *kmod = handle;

	add_sequential(&kmod->control->doorbell, 1);
	if (load_sequential(&kmod->native_threads) != 0)
		futex_wake(&kmod->control->doorbell, 1);
	ioctl(kmod->fd, ASYNC_SYSCALL_DOORBELL);
}

static int kmod_interrupt(void *handle, uint32_t slot)
{
	struct async_syscall_cancel cancel = {.slot = slot};
	struct kmod *kmod = handle;

	if (exec_interrupt(kmod->control, slot) == 0)
		return 0;
	return ioctl(kmod->fd, ASYNC_SYSCALL_CANCEL, &cancel) == 0 ? 0 : -errno;
}

static int kmod_watch(void *handle, uint32_t microseconds, uint32_t busy, __u64 *head, __u64 *tail)
{
	struct async_syscall_watch watch = {
	    .microseconds = microseconds, .busy = busy, .head = *head, .tail = *tail};
	struct kmod *kmod = handle;

	if (ioctl(kmod->fd, ASYNC_SYSCALL_WATCH, &watch) != 0)
		return -errno;
	*head = watch.head;
	*tail = watch.tail;
	return 0;
}

static void kmod_stop(void *handle)
{
	struct kmod *kmod = handle;

	close(kmod->fd);
	free(kmod);
}

const struct async_syscall_executor async_syscall_executor_kmod = {
    .name = "kmod",
    .start = kmod_start,
    .exec = kmod_exec,
    .ring = kmod_ring,
    .interrupt = kmod_interrupt,
    .watch = kmod_watch,
    .stop = kmod_stop,
};
