/* SPDX-License-Identifier: MIT */
/* counters - they count what happened, in the ioctl, in the table, and in debugfs. */
#define _GNU_SOURCE
#include "kmod_table.h"

int main(void)
{
	struct kmod_table table = make_kmod_table(8);
	struct async_syscall_counters counters;
	struct kmod_thread thread;
	char line[256] = "";
	FILE *file;

	for (uint32_t i = 0; i < 5; i++)
		post_call(&table.own, i, SYS_getpid, 0, 0, 0);
	enter_kmod(&thread, &table);
	wait_until_asleep(thread.tid);
	counters = counters_of(&table);
	CHECK_EQUAL(counters.executed, 5);
	CHECK_EQUAL(counters.passes, 1);
	CHECK_EQUAL(counters.sleeps, 1);
	CHECK_EQUAL(counters.doorbells, 0);
	CHECK_EQUAL(counters.notifications, 1);
	CHECK_EQUAL(counters.refused, 0);
	CHECK_EQUAL(counters.cancelled, 0);
	CHECK_EQUAL(table.own.view.control->executed, 5);
	CHECK_EQUAL(table.own.view.control->sleeps, 1);
	CHECK_EQUAL(table.own.view.control->notifications, 1);

	file = fopen("/sys/kernel/debug/async_syscall/tables", "r");
	if (file != NULL) {
		char expected[64];
		bool found = false;

		snprintf(expected, sizeof expected, "%u 8 1 5 1 1 0 1 0 0\n", (unsigned int)getuid());
		while (!found && fgets(line, sizeof line, file) != NULL)
			found = strcmp(line, expected) == 0;
		CHECK(found);
		fclose(file);
	}
	post(&table.own, 7, SYSCALL_END);
	ring(&table);
	CHECK_EQUAL(left_kmod(&thread), 0);
	counters = counters_of(&table);
	CHECK_EQUAL(counters.executed, 5);
	CHECK_EQUAL(counters.doorbells, 1);
	free_kmod_table(&table);
	return 0;
}
