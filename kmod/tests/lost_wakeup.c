/* SPDX-License-Identifier: MIT */
/*
 * lost_wakeup - the doorbell is rung only where nobody is awake, at every distance from the moment in which
 * the threads go to sleep. A request that nobody hears of hangs the test.
 */
#define _GNU_SOURCE
#include "kmod_table.h"

enum { THREADS = 3 };

int main(void)
{
	struct kmod_table table = make_kmod_table(4);
	struct async_syscall_control *control = table.own.view.control;
	struct kmod_thread threads[THREADS];
	uint32_t seed = 7;

	for (int i = 0; i < THREADS; i++)
		enter_kmod(&threads[i], &table);
	for (int round = 0; round < 20000; round++) {
		post_call(&table.own, 0, SYS_getpid, 0, 0, 0);
		if ((load_sequential(&control->awake) & AWAKE_COUNT) == 0)
			ring(&table);
		CHECK_EQUAL(take_result(&table.own, 0), getpid());
		spin(next_random(&seed) % 2000);
	}
	end_and_free(&table, 1, threads, THREADS);
	return 0;
}
