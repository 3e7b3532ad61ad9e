/* SPDX-License-Identifier: MIT */
/*
 * own_table.h - a table as the paper has it: init, and threads of the test that enter
 * async_syscall_exec() by themselves. There is no pool, and so no watch that would find a request
 * whose doorbell was lost.
 */
#ifndef OWN_TABLE_H
#define OWN_TABLE_H

#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "test.h"

struct own_table {
	struct table_view view;
	int event_fd;
};

static inline struct own_table make_own_table(uint32_t slots)
{
	struct own_table table = {.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
	void *address = mmap(NULL, ASYNC_SYSCALL_TABLE_BYTES(slots), PROT_READ | PROT_WRITE,
	                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(address != MAP_FAILED);
	CHECK(table.event_fd >= 0);
	CHECK_EQUAL(async_syscall_init(address, slots, table.event_fd), 0);
	table.view = table_view(address);
	return table;
}

static inline void free_own_table(struct own_table *table)
{
	munmap(table->view.control, ASYNC_SYSCALL_TABLE_BYTES(table->view.slots));
	close(table->event_fd);
}

/* Writes a state into a slot and an entry for it into the ring. */
static inline void post(struct own_table *table, uint32_t slot, uint32_t state)
{
	struct async_syscall_control *control = table->view.control;
	__u64 tail = control->pending_tail;

	store_sequential(&table->view.info[slot].state, state);
	store_relaxed(&table->view.pending[tail & (table->view.slots - 1)], slot);
	store_sequential(&control->pending_tail, tail + 1);
}

static inline void post_call(struct own_table *table, uint32_t slot, long number, int64_t arg0,
                             int64_t arg1, int64_t arg2)
{
	struct syscall_info *info = &table->view.info[slot];

	info->num = (__u32)number;
	info->arg[0] = (__u64)arg0;
	info->arg[1] = (__u64)arg1;
	info->arg[2] = (__u64)arg2;
	post(table, slot, SYSCALL_HASCALL);
}

/* Wakes a thread where none is awake. */
static inline void ring_if_asleep(struct own_table *table)
{
	struct async_syscall_control *control = table->view.control;

	if ((load_sequential(&control->awake) & AWAKE_COUNT) != 0)
		return;
	add_sequential(&control->awake, 1);
	exec_ring_doorbell(control);
}

/* Sleeps until the eventfd tells. Then takes the stack, and leaves it armed. Returns its first slot. */
static inline __u32 take_stack(struct own_table *table)
{
	struct pollfd told = {.fd = table->event_fd, .events = POLLIN};
	uint64_t ignored;

	if (poll(&told, 1, HANG_MILLISECONDS) != 1)
		fail_test(__FILE__, __LINE__, "never told: a request or a notification is lost");
	CHECK_EQUAL(read(table->event_fd, &ignored, sizeof ignored), sizeof ignored);
	return exchange_sequential(&table->view.control->completed, (__u32)COMPLETED_ARMED);
}

/* The only call in flight has completed. */
static inline int64_t take_result(struct own_table *table, uint32_t slot)
{
	struct syscall_info *info = &table->view.info[slot];

	CHECK_EQUAL(take_stack(table), slot);
	CHECK_EQUAL(load_acquire(&info->state), SYSCALL_COMPLETED);
	store_relaxed(&info->state, (__u32)SYSCALL_NONE);
	return info->ret;
}

struct own_thread {
	pthread_t thread;
	struct own_table *table;
	uint32_t idle_milliseconds;
	int returned;
};

static inline void *own_thread_main(void *argument)
{
	struct own_thread *own = argument;

	own->returned = async_syscall_exec(own->table->view.control, own->idle_milliseconds);
	return NULL;
}

static inline void enter(struct own_thread *own, struct own_table *table, uint32_t idle)
{
	*own = (struct own_thread){.table = table, .idle_milliseconds = idle};
	CHECK_EQUAL(pthread_create(&own->thread, NULL, own_thread_main, own), 0);
}

/* Waits for the thread, and returns what async_syscall_exec() gave. */
static inline int left(struct own_thread *own)
{
	CHECK_EQUAL(pthread_join(own->thread, NULL), 0);
	return own->returned;
}

#endif /* OWN_TABLE_H */
