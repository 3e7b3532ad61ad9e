/* async_syscall_init() checks its arguments, and lays an empty table out and nothing beyond it. */
#define _GNU_SOURCE
#include "test.h"

enum { SLOTS = 8, CANARY = 0xA5 };

static _Alignas(ASYNC_SYSCALL_CACHE_LINE) unsigned char memory[ASYNC_SYSCALL_TABLE_BYTES(SLOTS) +
                                                               ASYNC_SYSCALL_CACHE_LINE];

int main(void)
{
	const size_t bytes = ASYNC_SYSCALL_TABLE_BYTES(SLOTS);
	struct table_view view;

	memset(memory, CANARY, sizeof memory);
	CHECK_EQUAL(async_syscall_init(NULL, SLOTS, 3), -EINVAL);
	CHECK_EQUAL(async_syscall_init(memory + 8, SLOTS, 3), -EINVAL); /* not on a cache line */
	CHECK_EQUAL(async_syscall_init(memory, 0, 3), -EINVAL);
	CHECK_EQUAL(async_syscall_init(memory, 3, 3), -EINVAL); /* not a power of two */
	CHECK_EQUAL(async_syscall_init(memory, SLOTS + 1, 3), -EINVAL);
	CHECK_EQUAL(async_syscall_init(memory, 2 * ASYNC_SYSCALL_MAX_SLOTS, 3), -EINVAL);
	CHECK_EQUAL(async_syscall_init(memory, UINT32_MAX, 3), -EINVAL);
	for (size_t i = 0; i < sizeof memory; i++)
		CHECK_EQUAL(memory[i], CANARY); /* what is refused is not begun */

	CHECK_EQUAL(async_syscall_init(memory, SLOTS, 3), 0);
	for (size_t i = bytes; i < sizeof memory; i++)
		CHECK_EQUAL(memory[i], CANARY);

	view = table_view(memory);
	CHECK_EQUAL(view.slots, SLOTS);
	CHECK_EQUAL(view.control->abi_version, ASYNC_SYSCALL_ABI_VERSION);
	CHECK_EQUAL(view.control->slots, SLOTS);
	CHECK_EQUAL(view.control->event_fd, 3);
	CHECK_EQUAL(view.control->completed, COMPLETED_ARMED);
	CHECK_EQUAL(view.control->pending_head, 0);
	CHECK_EQUAL(view.control->pending_tail, 0);
	CHECK_EQUAL(view.control->awake, 0);
	CHECK_EQUAL(view.control->doorbell, 0);
	CHECK_EQUAL(view.control->sleepers, 0);
	for (uint32_t slot = 0; slot < SLOTS; slot++)
		CHECK_EQUAL(view.info[slot].state, SYSCALL_NONE);

	/* The arrays follow each other, and the last ends where the table does. */
	CHECK_EQUAL((unsigned char *)view.pending - memory, sizeof *view.control);
	CHECK(view.next == view.pending + SLOTS);
	CHECK(view.runner == view.next + SLOTS);
	CHECK((void *)view.info >= (void *)(view.runner + SLOTS));
	CHECK_EQUAL((uintptr_t)view.info % ASYNC_SYSCALL_CACHE_LINE, 0);
	CHECK_EQUAL((unsigned char *)(view.info + SLOTS) - memory, bytes);

	CHECK_EQUAL(async_syscall_init(memory, 1, 3), 0); /* the smallest */
	return 0;
}
