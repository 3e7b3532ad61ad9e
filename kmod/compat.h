/* SPDX-License-Identifier: GPL-2.0-only */
/* compat.h - all that differs between kernel versions, and nothing else. */
#ifndef ASYNC_SYSCALL_COMPAT_H
#define ASYNC_SYSCALL_COMPAT_H

#include <linux/entry-common.h>
#include <linux/eventfd.h>
#include <linux/hrtimer.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "async_syscall needs Linux 6.1 or later"
#endif

/* eventfd_signal() lost its count in 6.8. */
static inline void compat_eventfd_signal(struct eventfd_ctx *eventfd)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
	eventfd_signal(eventfd);
#else
	eventfd_signal(eventfd, 1);
#endif
}

/* hrtimer_setup() came in 6.13, and hrtimer_init() left in 6.15. */
static inline void compat_hrtimer_setup(struct hrtimer *timer,
					enum hrtimer_restart (*function)(struct hrtimer *))
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	hrtimer_setup(timer, function, CLOCK_MONOTONIC, HRTIMER_MODE_REL_SOFT);
#else
	hrtimer_init(timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_SOFT);
	timer->function = function;
#endif
}

/*
 * What a task has to wait for on its way to user mode, because it took too much: memory.high,
 * io.latency, io.cost. throttle_queue became throttle_disk in 6.3.
 */
static inline bool compat_is_throttled(void)
{
#ifdef CONFIG_MEMCG
	if (current->memcg_nr_pages_over_high)
		return true;
#endif
#if !defined(CONFIG_BLK_CGROUP)
	return false;
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	return current->throttle_disk;
#else
	return current->throttle_queue;
#endif
}

/*
 * What has to look at a system call before it runs. Tracepoints only look on. On
 * newer kernels there is also the end of a borrowed time slice, which the entry to
 * ioctl(2) has seen to.
 */
#ifdef SYSCALL_WORK_SYSCALL_RSEQ_SLICE
#define COMPAT_HARMLESS_WORK (SYSCALL_WORK_SYSCALL_TRACEPOINT | SYSCALL_WORK_SYSCALL_RSEQ_SLICE)
#else
#define COMPAT_HARMLESS_WORK SYSCALL_WORK_SYSCALL_TRACEPOINT
#endif
#define COMPAT_WATCHING_WORK (SYSCALL_WORK_ENTER & ~COMPAT_HARMLESS_WORK)

#endif /* ASYNC_SYSCALL_COMPAT_H */
