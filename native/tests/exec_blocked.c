/*
 * Several threads inside one table: one that is stuck in a call holds up nobody else, and END makes
 * each return from where it is: asleep, at work, or after the call that it is stuck in.
 */
#define _GNU_SOURCE
#include "own_table.h"

enum { SLOTS = 8, THREADS = 3, IDLE = 60 * 1000 };

int main(void)
{
	struct own_table table = make_own_table(SLOTS);
	struct async_syscall_control *control = table.view.control;
	struct own_thread threads[THREADS];
	int ends[2];
	char byte = 0;

	open_pipe(ends);
	post_call(&table, 0, SYS_read, ends[0], (intptr_t)&byte, 1);
	for (uint32_t i = 0; i < THREADS; i++)
		enter(&threads[i], &table, IDLE);
	WAIT_UNTIL(load_acquire(&table.view.info[0].state) == SYSCALL_EXECUTING);
	WAIT_UNTIL(load_sequential(&control->sleepers) == THREADS - 1);
	for (uint32_t i = 0; i < 100; i++) {
		post_call(&table, 1 + i % 4, SYS_getpid, 0, 0, 0);
		/* As the pool would, having found out: the thread that is stuck doesn't count. */
		add_sequential(&control->awake, 1);
		exec_ring_doorbell(control);
		CHECK_EQUAL(take_result(&table, 1 + i % 4), getpid());
	}

	post(&table, 7, SYSCALL_END);
	for (uint32_t i = 0; i < THREADS; i++)
		exec_ring_doorbell(control);
	WAIT_UNTIL(load_sequential(&control->sleepers) == 0);
	CHECK_EQUAL(load_acquire(&table.view.info[0].state), SYSCALL_EXECUTING);
	CHECK_EQUAL(write(ends[1], "b", 1), 1);
	CHECK_EQUAL(take_result(&table, 0), 1);
	CHECK_EQUAL(byte, 'b');
	for (uint32_t i = 0; i < THREADS; i++)
		CHECK_EQUAL(left(&threads[i]), 0);
	free_own_table(&table);
	return 0;
}
