/* SPDX-License-Identifier: MIT */
/* notification - one eventfd signal for a burst, and none where the owner said that it looks by itself. */
#define _GNU_SOURCE
#include "kmod_table.h"

int main(void)
{
	struct kmod_table table = make_kmod_table(64);
	__u32 *completed = &table.own.view.control->completed;
	struct kmod_thread thread;
	uint64_t count;

	for (uint32_t i = 0; i < 60; i++)
		post_call(&table.own, i, SYS_getpid, 0, 0, 0);
	enter_kmod(&thread, &table);
	wait_until_asleep(thread.tid);
	CHECK_EQUAL(read(table.own.event_fd, &count, sizeof count), sizeof count);
	CHECK_EQUAL(count, 1);
	CHECK(exchange_sequential(completed, (__u32)COMPLETED_POLLED) < 64);
	for (uint32_t i = 0; i < 60; i++)
		CHECK_EQUAL(wait_for(&table, i), getpid());

	call(&table, 0, SYS_getpid, 0, 0, 0);
	CHECK_EQUAL(wait_for(&table, 0), getpid());
	wait_until_asleep(thread.tid);
	CHECK_EQUAL(read(table.own.event_fd, &count, sizeof count), -1);
	CHECK_EQUAL(counters_of(&table).notifications, 1);
	end_and_free(&table, 63, &thread, 1);
	return 0;
}
