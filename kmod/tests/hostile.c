/* SPDX-License-Identifier: MIT */
/*
 * hostile - an owner who scribbles over states, arguments, indices and counts from another thread while the
 * table is served. Any result will do; the kernel must not mind, and the threads must end.
 */
#define _GNU_SOURCE
#include "kmod_table.h"

enum { SLOTS = 64, THREADS = 3, SCRIBBLES = 300000 };

static struct kmod_table table;
static bool stop;

static void *scribble(void *unused)
{
	static const long numbers[] = {SYS_getpid, SYS_getppid, SYS_lseek, SYS_getcwd, 999, 0xffffffff};
	uint32_t seed = 99;

	(void)unused;
	for (int i = 0; i < SCRIBBLES; i++) {
		struct async_syscall_control *control = table.own.view.control;
		uint32_t what = next_random(&seed) % 12;
		uint32_t value = next_random(&seed);
		uint32_t slot = next_random(&seed) % SLOTS;
		struct syscall_info *info = slot_of(&table, slot);

		switch (what) {
		case 0:
			store_relaxed(&info->state, value % 4); /* not END: that would be the end */
			break;
		case 1:
			store_relaxed(&info->num, (__u32)numbers[value % 6]);
			break;
		case 2:
			store_relaxed(&info->arg[value % 6], (__u64)value << 32 | value);
			break;
		case 3:
			store_relaxed(&table.own.view.pending[slot], value);
			break;
		case 4:
			store_relaxed(&table.own.view.next[slot], value);
			break;
		case 5:
			store_relaxed(&control->pending_head, control->pending_tail - value % 100);
			break;
		case 6:
			store_relaxed(&control->completed, value);
			break;
		case 7:
			store_relaxed(&control->awake, value);
			break;
		case 8:
			store_relaxed(&control->sleepers, value);
			break;
		case 9:
			store_relaxed(&control->slots, value);
			store_relaxed(&control->event_fd, (__s32)value);
			break;
		case 10:
			store_relaxed(&control->pending_tail, control->pending_head + value % 1000);
			break;
		default:
			cancel_slot(&table, slot);
			ring(&table);
		}
	}
	store_release(&stop, true);
	return NULL;
}

static void *serve(void *unused)
{
	(void)unused;
	while (!load_acquire(&stop)) {
		int result = exec_once(&table, 1);

		CHECK(result >= 0 || result == -ETIME);
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS];
	pthread_t scribbler;

	table = make_kmod_table(SLOTS);
	for (int i = 0; i < THREADS; i++)
		CHECK_EQUAL(pthread_create(&threads[i], NULL, serve, NULL), 0);
	CHECK_EQUAL(pthread_create(&scribbler, NULL, scribble, NULL), 0);
	CHECK_EQUAL(pthread_join(scribbler, NULL), 0);
	/* A ring of 2^64 entries may be left: make it one with an end. */
	for (uint32_t i = 0; i < SLOTS; i++)
		store_sequential(&slot_of(&table, i)->state, (__u32)SYSCALL_END);
	for (int i = 0; i < THREADS; i++) {
		ring(&table);
		CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
	}
	CHECK(counters_of(&table).executed > 0);
	free_kmod_table(&table);
	return 0;
}
