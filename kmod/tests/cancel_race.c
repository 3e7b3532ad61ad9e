/* SPDX-License-Identifier: MIT */
/*
 * cancel_race - cancellations that come at any moment hit the call that they are meant for or none.
 * The victim waits for a byte that comes or not; the witness, on the same thread right behind it, must
 * never be interrupted.
 */
#define _GNU_SOURCE
#include "kmod_table.h"

static struct kmod_table table;
static bool stop;

static void *cancel_all_the_time(void *unused)
{
	(void)unused;
	while (!load_acquire(&stop)) {
		int result = cancel_slot(&table, 0);

		CHECK(result == 0 || result == -EAGAIN);
	}
	return NULL;
}

int main(void)
{
	struct kmod_thread thread;
	uint32_t cancelled = 0;
	uint32_t seed = 1;
	pthread_t canceller;
	int ends[2];
	char byte;

	table = make_kmod_table(4);
	enter_kmod(&thread, &table);
	CHECK_EQUAL(pthread_create(&canceller, NULL, cancel_all_the_time, NULL), 0);
	open_pipe(ends);
	for (int round = 0; round < 3000; round++) {
		const struct timespec moment = {.tv_nsec = next_random(&seed) % 30000};
		bool comes = next_random(&seed) % 2;
		int64_t result;

		if (comes)
			CHECK_EQUAL(write(ends[1], "x", 1), 1);
		post_call(&table.own, 0, SYS_read, ends[0], (intptr_t)&byte, 1);
		post_call(&table.own, 1, SYS_nanosleep, (intptr_t)&moment, 0, 0);
		ring(&table);
		result = wait_for(&table, 0);
		CHECK(result == (comes ? 1 : -ECANCELED));
		cancelled += result == -ECANCELED;
		CHECK_EQUAL(wait_for(&table, 1), 0);
	}
	store_release(&stop, true);
	CHECK_EQUAL(pthread_join(canceller, NULL), 0);
	CHECK_EQUAL(counters_of(&table).cancelled, cancelled);
	end_and_free(&table, 2, &thread, 1);
	return 0;
}
