/*
 * Calls that wait without end are interrupted, and give -ECANCELED; a call that can't be told from
 * one that ended by itself keeps its result. A slot that runs nothing isn't interrupted.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "test.h"

enum { SLOTS = 4 };

int main(void)
{
	const struct timespec hour = {.tv_sec = 3600};
	struct owner owner = open_owner(SLOTS, 2, 5000);
	char fifo[] = "/tmp/asyncsys-test-fifo-XXXXXX";
	char locked[] = "/tmp/asyncsys-test-lock-XXXXXX";
	struct pollfd nothing = {.fd = -1};
	char byte;
	int ends[2];
	int first;
	int second;

	open_pipe(ends);
	first = mkstemp(locked);
	second = open(locked, O_RDWR | O_CLOEXEC); // NOLINT(cert-fio*): its own description, to lock
	CHECK(first >= 0 && second >= 0);
	CHECK_EQUAL(unlink(locked), 0);
	CHECK_EQUAL(flock(first, LOCK_EX), 0);
	CHECK(mkdtemp(fifo) != NULL);
	CHECK_EQUAL(rmdir(fifo), 0);
	CHECK_EQUAL(mkfifo(fifo, 0600), 0);

	for (uint32_t i = 0; i < 200; i++) {
		int32_t slot = -1;

		switch (i % 5) {
		case 0:
			slot = submit_read(&owner, ends[0], &byte, 1);
			break;
		case 1:
			slot = submit(&owner, SYS_nanosleep, (intptr_t)&hour, 0, 0);
			break;
		case 2:
			slot = submit(&owner, SYS_flock, second, LOCK_EX, 0);
			break;
		case 3:
			slot = submit(&owner, SYS_openat, AT_FDCWD, (intptr_t)fifo, O_RDONLY);
			break;
		default:
			slot = submit(&owner, SYS_ppoll, (intptr_t)&nothing, 1, 0);
		}
		CHECK_EQUAL(async_syscall_ring(owner.table), 0);
		if (i % 2 == 0)
			sleep_microseconds(200); /* it blocks by now; else it may not even be claimed */
		CHECK_EQUAL(cancel(&owner, slot), -ECANCELED);
	}
	CHECK_EQUAL(unlink(fifo), 0);

	/* Nothing runs there. */
	for (uint32_t slot = 0; slot < SLOTS; slot++)
		CHECK_EQUAL(async_syscall_interrupt(owner.table, slot), -EAGAIN);
	CHECK_EQUAL(async_syscall_interrupt(owner.table, SLOTS), -EINVAL);
	CHECK_EQUAL(async_syscall_interrupt(owner.table, UINT32_MAX), -EINVAL);

	/* A write that is interrupted after a part of it was written gives that part. */
	static char much[1 << 20];
	int32_t slot = submit_write(&owner, ends[1], much, sizeof much);
	CHECK_EQUAL(async_syscall_ring(owner.table), 0);
	struct pollfd full = {.fd = ends[1], .events = POLLOUT};
	WAIT_UNTIL(poll(&full, 1, 0) == 0);
	int64_t part = cancel(&owner, slot);
	CHECK(part > 0 && part < (int64_t)sizeof much);

	/* The thread that was interrupted runs the next call as if nothing had been. */
	CHECK_EQUAL(result_of(&owner, submit_quick(&owner)), getpid());
	close_owner(&owner);
	return 0;
}
