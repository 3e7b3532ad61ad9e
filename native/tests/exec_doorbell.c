/*
 * No wake-up is lost between an owner that rings only when no thread is awake and threads that are
 * on their way to sleep. There is no watch here to make up for one: a lost doorbell hangs.
 */
#define _GNU_SOURCE
#include "own_table.h"

enum { SLOTS = 4, IDLE = 600 * 1000 };

static void stress(uint32_t thread_count, uint32_t rounds)
{
	struct own_table table = make_own_table(SLOTS);
	struct async_syscall_control *control = table.view.control;
	struct own_thread threads[4];
	uint32_t seed = 2463534242;

	for (uint32_t i = 0; i < thread_count; i++)
		enter(&threads[i], &table, IDLE);
	for (uint32_t i = 0; i < rounds; i++) {
		uint32_t slot = i % SLOTS;

		post_call(&table, slot, SYS_getpid, 0, 0, 0);
		ring_if_asleep(&table);
		CHECK_EQUAL(take_result(&table, slot), getpid());
		/* About as long as a thread looks at the empty ring before it sleeps. */
		spin(next_random(&seed) % 256);
	}
	WAIT_UNTIL(load_sequential(&control->sleepers) == thread_count);
	CHECK_EQUAL(load_sequential(&control->awake) & AWAKE_COUNT, 0);
	CHECK_EQUAL(load_sequential(&control->doorbell), 0);

	post(&table, 0, SYSCALL_END);
	for (uint32_t i = 0; i < thread_count; i++)
		exec_ring_doorbell(control);
	for (uint32_t i = 0; i < thread_count; i++)
		CHECK_EQUAL(left(&threads[i]), 0);
	free_own_table(&table);
}

int main(void)
{
	stress(1, rounds(200000));
	stress(2, rounds(100000));
	stress(4, rounds(100000));
	return 0;
}
