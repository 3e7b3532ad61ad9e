/* SPDX-License-Identifier: MIT */
/* idle - a thread leaves with ETIME after its time, and is no longer counted as a sleeper or as awake. */
#define _GNU_SOURCE
#include "kmod_table.h"

int main(void)
{
	struct kmod_table table = make_kmod_table(4);
	struct async_syscall_control *control = table.own.view.control;

	CHECK_EQUAL(exec_once(&table, 20), -ETIME);
	CHECK_EQUAL(control->sleepers, 0);
	CHECK_EQUAL(control->awake & AWAKE_COUNT, 0);
	/* A token that was left for it makes it look once more. */
	control->awake++;
	control->doorbell = 1;
	CHECK_EQUAL(exec_once(&table, 20), -ETIME);
	CHECK_EQUAL(control->doorbell, 0);
	CHECK_EQUAL(control->awake & AWAKE_COUNT, 0);
	CHECK_EQUAL(counters_of(&table).sleeps, 3);
	free_kmod_table(&table);
	return 0;
}
