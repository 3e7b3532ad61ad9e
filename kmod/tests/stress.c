/* SPDX-License-Identifier: MIT */
/*
 * stress - many threads, many requests: each runs once and gives its own result. The offset of a file is
 * moved by exactly as much as was asked for.
 */
#define _GNU_SOURCE
#include "kmod_table.h"

enum { SLOTS = 128, THREADS = 8, CALLS = 40000 };

int main(void)
{
	struct kmod_table table = make_kmod_table(SLOTS);
	struct async_syscall_control *control = table.own.view.control;
	int file = memfd_create("stress", MFD_CLOEXEC);
	struct kmod_thread threads[THREADS];
	static int64_t seen[CALLS + 1];
	uint32_t submitted = 0;
	uint32_t done = 0;

	for (int i = 0; i < THREADS; i++)
		enter_kmod(&threads[i], &table);
	while (done < CALLS) {
		/* The last slot stays free, for END. */
		for (uint32_t slot = 0; slot < SLOTS - 1; slot++) {
			struct syscall_info *info = slot_of(&table, slot);

			if (load_acquire(&info->state) == SYSCALL_COMPLETED) {
				CHECK(info->ret > 0 && info->ret <= CALLS);
				CHECK_EQUAL(seen[info->ret]++, 0);
				done++;
				store_relaxed(&info->state, (__u32)SYSCALL_NONE);
			}
			if (info->state == SYSCALL_NONE && submitted < CALLS) {
				submitted++;
				post_call(&table.own, slot, SYS_lseek, file, 1, SEEK_CUR);
			}
		}
		/* Nobody takes the stack of completed slots here, which then has rings in it. */
		store_sequential(&control->completed, (__u32)COMPLETED_POLLED);
		if ((load_sequential(&control->awake) & AWAKE_COUNT) == 0)
			ring(&table);
		sched_yield();
	}
	CHECK_EQUAL(lseek(file, 0, SEEK_CUR), CALLS);
	CHECK_EQUAL(counters_of(&table).executed, CALLS);
	end_and_free(&table, SLOTS - 1, threads, THREADS);
	return 0;
}
