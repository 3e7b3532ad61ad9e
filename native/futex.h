/* SPDX-License-Identifier: MIT */
/* futex.h - sleep on a word, wake who sleeps on it. futex(2) */
#ifndef FUTEX_H
#define FUTEX_H

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Sleeps while *word is `value`; for ever where timeout is NULL. Returns 0 or -errno. */
static inline int futex_wait(const __u32 *word, __u32 value, const struct timespec *timeout)
{
	if (syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, timeout, NULL, 0) == 0)
		return 0;
	return -errno;
}

static inline void futex_wake(const __u32 *word, int how_many)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, how_many, NULL, NULL, 0);
}

#endif /* FUTEX_H */
