/* SPDX-License-Identifier: MIT */
/* limits - max_slots, max_threads and max_tables are kept, and say which one was reached. */
#define _GNU_SOURCE
#include "kmod_table.h"

static void set(const char *parameter, unsigned int value)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof path, "/sys/module/async_syscall/parameters/%s", parameter);
	file = fopen(path, "w");
	if (file == NULL)
		SKIP("can't set %s: %s\n", path, strerror(errno));
	CHECK(fprintf(file, "%u\n", value) > 0);
	CHECK_EQUAL(fclose(file), 0);
}

int main(void)
{
	struct own_table own = make_own_table(64);
	struct async_syscall_init init = init_of(&own);
	struct kmod_thread threads[2];
	struct kmod_table table;
	int devices[3] = {open_device(), open_device(), open_device()};

	set("max_slots", 32);
	CHECK_EQUAL(CALL(devices[0], ASYNC_SYSCALL_INIT, &init), -EINVAL);
	set("max_slots", 65536);

	/* Whatever tables there are already in the system. */
	set("max_tables", 0);
	CHECK_EQUAL(CALL(devices[0], ASYNC_SYSCALL_INIT, &init), -EUSERS);
	set("max_tables", 128);
	CHECK_EQUAL(CALL(devices[0], ASYNC_SYSCALL_INIT, &init), 0);

	set("max_threads", 2);
	table = make_kmod_table(4);
	enter_kmod(&threads[0], &table);
	enter_kmod(&threads[1], &table);
	wait_until_asleep(threads[0].tid);
	wait_until_asleep(threads[1].tid);
	CHECK_EQUAL(exec_once(&table, 0), -EAGAIN);
	set("max_threads", 1024);
	end_and_free(&table, 0, threads, 2);
	return 0;
}
