/*
 * async_syscall_exec() returns -ETIME after the idle time, and doesn't count itself as awake or
 * asleep any more. Requests posted meanwhile wait for who comes next. With an idle time of 0 it stays.
 */
#define _GNU_SOURCE
#include "own_table.h"

enum { SLOTS = 2, IDLE = 60 * 1000 };

int main(void)
{
	struct own_table table = make_own_table(SLOTS);
	struct async_syscall_control *control = table.view.control;
	struct own_thread thread;

	for (uint32_t idle = 1; idle <= 3; idle++) {
		enter(&thread, &table, idle);
		CHECK_EQUAL(left(&thread), -ETIME);
		CHECK_EQUAL(load_sequential(&control->awake) & AWAKE_COUNT, 0);
		CHECK_EQUAL(load_sequential(&control->sleepers), 0);
		CHECK_EQUAL(load_sequential(&control->sleeps), idle);
	}

	post_call(&table, 0, SYS_getpid, 0, 0, 0);
	enter(&thread, &table, 1);
	CHECK_EQUAL(take_result(&table, 0), getpid());
	CHECK_EQUAL(left(&thread), -ETIME);

	/* A token that was left before anybody slept isn't lost: it lets the next sleeper go, once. */
	add_sequential(&control->awake, 1);
	exec_ring_doorbell(control);
	enter(&thread, &table, 1);
	CHECK_EQUAL(left(&thread), -ETIME);
	CHECK_EQUAL(load_sequential(&control->doorbell), 0);
	CHECK_EQUAL(load_sequential(&control->awake) & AWAKE_COUNT, 0);

	enter(&thread, &table, 0);
	WAIT_UNTIL(load_sequential(&control->sleepers) == 1);
	sleep_microseconds(20 * 1000);
	CHECK_EQUAL(load_sequential(&control->sleepers), 1);
	post(&table, 0, SYSCALL_END);
	ring_if_asleep(&table);
	CHECK_EQUAL(left(&thread), 0);
	free_own_table(&table);
	return 0;
}
