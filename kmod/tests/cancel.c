/* SPDX-License-Identifier: MIT */
/* cancel - read, poll, nanosleep and flock end at once with ECANCELED, and the next call isn't touched. */
#define _GNU_SOURCE
#include <sys/file.h>

#include "kmod_table.h"

static struct kmod_table table;
static struct kmod_thread thread;

static void is_cancelled(long number, int64_t arg0, int64_t arg1, int64_t arg2)
{
	int data[2];
	char byte;

	call(&table, 0, number, arg0, arg1, arg2);
	wait_until_blocked(&table, 0, thread.tid);
	CHECK_EQUAL(cancel_slot(&table, 1), -EAGAIN); /* another slot */
	CHECK_EQUAL(state_of(&table, 0), SYSCALL_EXECUTING);
	CHECK_EQUAL(cancel_until_over(&table, 0), -ECANCELED);
	CHECK_EQUAL(cancel_slot(&table, 0), -EAGAIN);

	open_pipe(data);
	call(&table, 0, SYS_read, data[0], (intptr_t)&byte, 1);
	wait_until_blocked(&table, 0, thread.tid);
	CHECK_EQUAL(write(data[1], "x", 1), 1);
	CHECK_EQUAL(wait_for(&table, 0), 1);
	close(data[0]);
	close(data[1]);
}

int main(void)
{
	const struct timespec long_time = {.tv_sec = 3600};
	struct pollfd nobody;
	int empty[2];
	char byte;
	int file = memfd_create("cancel", MFD_CLOEXEC);
	char path[32];
	int other;

	table = make_kmod_table(4);
	enter_kmod(&thread, &table);
	open_pipe(empty);
	nobody = (struct pollfd){.fd = empty[0], .events = POLLIN};
	snprintf(path, sizeof path, "/proc/self/fd/%d", file);
	other = open(path, O_RDWR | O_CLOEXEC);
	CHECK_EQUAL(flock(file, LOCK_EX), 0);

	for (int round = 0; round < 20; round++) {
		is_cancelled(SYS_read, empty[0], (intptr_t)&byte, 1);
		is_cancelled(SYS_poll, (intptr_t)&nobody, 1, -1);
		is_cancelled(SYS_nanosleep, (intptr_t)&long_time, 0, 0);
		is_cancelled(SYS_flock, other, LOCK_EX, 0);
	}
	CHECK_EQUAL(counters_of(&table).cancelled, 80);
	end_and_free(&table, 1, &thread, 1);
	return 0;
}
