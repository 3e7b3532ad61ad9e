/*
 * async_syscall_exec(), entered by a thread of the process: runs HASCALL, passes over NONE,
 * EXECUTING and COMPLETED whatever the ring says, and returns when it sees END.
 */
#define _GNU_SOURCE
#include "own_table.h"

enum { SLOTS = 8, IDLE = 60 * 1000 };

int main(void)
{
	struct own_table table = make_own_table(SLOTS);
	struct syscall_info *info = table.view.info;
	struct own_thread thread;
	int ends[2];

	/* Whoever runs a slot that isn't HASCALL writes into the pipe. */
	open_pipe(ends);
	for (uint32_t slot = 0; slot < SLOTS; slot++) {
		info[slot].num = SYS_write;
		info[slot].arg[0] = (__u64)ends[1];
		info[slot].arg[1] = (__u64)(intptr_t)"x";
		info[slot].arg[2] = 1;
		info[slot].ret = 1000 + slot;
	}
	post(&table, 0, SYSCALL_NONE);
	post(&table, 1, SYSCALL_EXECUTING);
	post(&table, 2, SYSCALL_COMPLETED);
	post_call(&table, 3, SYS_getpid, 0, 0, 0);
	enter(&thread, &table, IDLE);
	CHECK_EQUAL(take_result(&table, 3), getpid());
	CHECK_EQUAL(load_acquire(&info[0].state), SYSCALL_NONE);
	CHECK_EQUAL(load_acquire(&info[1].state), SYSCALL_EXECUTING);
	CHECK_EQUAL(load_acquire(&info[2].state), SYSCALL_COMPLETED);
	for (uint32_t slot = 0; slot < 3; slot++)
		CHECK_EQUAL(info[slot].ret, 1000 + slot);

	/* A call that fails, and one that takes arguments. */
	post_call(&table, 4, SYS_close, -1, 0, 0);
	ring_if_asleep(&table);
	CHECK_EQUAL(take_result(&table, 4), -EBADF);
	post_call(&table, 4, SYS_write, ends[1], (intptr_t)"yz", 2);
	ring_if_asleep(&table);
	CHECK_EQUAL(take_result(&table, 4), 2);

	/* END returns, and stays in the ring: whoever enters afterwards returns at once. */
	post(&table, 7, SYSCALL_END);
	ring_if_asleep(&table);
	CHECK_EQUAL(left(&thread), 0);
	enter(&thread, &table, IDLE);
	CHECK_EQUAL(left(&thread), 0);
	CHECK_EQUAL(load_acquire(&info[7].state), SYSCALL_END);

	char content[8];
	CHECK_EQUAL(read(ends[0], content, sizeof content), 2);
	CHECK_EQUAL(memcmp(content, "yz", 2), 0);
	free_own_table(&table);
	return 0;
}
