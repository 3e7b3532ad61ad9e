/* SPDX-License-Identifier: MIT */
/*
 * fuzz_slots - random system calls with random arguments, through the table, in a child process without
 * anything to lose. What kills the child is its own affair; the kernel log is the verdict.
 * fuzz_slots [COUNT [SEED]]
 */
#define _GNU_SOURCE
#include <sched.h>
#include <sys/resource.h>

#include "kmod_table.h"

enum { SLOTS = 32, THREADS = 3, FCHMODAT2 = 452 /* since Linux 6.6, for older headers */ };

static uint32_t count = 2000;
static uint32_t seed = 1;
static char memory[4096];

/* Calls of the list that would reach beyond the child: the device file, whose descriptor it has, stays. */
static bool is_spared(uint32_t number)
{
	return number == SYS_sync || number == SYS_syncfs || number == SYS_unlink ||
	       number == SYS_rename || number == SYS_rmdir || number == SYS_unlinkat ||
	       number == SYS_renameat || number == SYS_renameat2 || number == SYS_shmctl ||
	       number == SYS_semctl || number == SYS_msgctl || number == SYS_truncate ||
	       number == SYS_fchmod || number == SYS_fchmodat || number == FCHMODAT2 ||
	       number == SYS_fchown || number == SYS_fchownat || number == SYS_fsetxattr;
}

static int64_t random_argument(const struct kmod_table *table)
{
	uint32_t value = next_random(&seed);

	switch (value % 7) {
	case 0:
		return value % 16; /* a descriptor, perhaps the device's own, or the eventfd */
	case 1:
		return (intptr_t)memory + value % 64;
	case 2:
		return (intptr_t)table->own.view.control + value % 8192;
	case 3:
		return (int64_t)value << 32;
	case 4:
		return -(int64_t)(value % 4096);
	case 5:
		return 0;
	default:
		return value % 4096;
	}
}

/* Calls that come back are passed over. */
static void *serve(void *argument)
{
	struct kmod_table *table = argument;

	for (;;) {
		int result = exec_once(table, 0);

		if (result > 0)
			store_release(&slot_of(table, (uint32_t)result - 1)->state, (__u32)SYSCALL_COMPLETED);
		else if (result != -EINTR)
			return NULL; /* the fuzzer has unmapped the table, or closed the device */
	}
}

static void child(void *argument)
{
	const struct rlimit no_core = {0, 0};
	const struct rlimit small = {1 << 20, 1 << 20};
	static struct kmod_table table;
	pthread_t thread;

	seed = *(uint32_t *)argument;
	setrlimit(RLIMIT_CORE, &no_core);
	setrlimit(RLIMIT_FSIZE, &small);
	table = make_kmod_table(SLOTS);
	for (int i = 0; i < THREADS; i++)
		CHECK_EQUAL(pthread_create(&thread, NULL, serve, &table), 0);
	alarm(5);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t slot = next_random(&seed) % SLOTS;
		struct syscall_info *info = slot_of(&table, slot);
		uint32_t number = next_random(&seed) % 460;

		if (load_acquire(&info->state) == SYSCALL_COMPLETED)
			store_relaxed(&info->state, (__u32)SYSCALL_NONE);
		if (load_acquire(&info->state) == SYSCALL_EXECUTING) {
			cancel_slot(&table, slot);
			continue;
		}
		if (is_spared(number))
			continue;
		for (int j = 3; j < 6; j++)
			info->arg[j] = (__u64)random_argument(&table);
		post_call(&table.own, slot, (long)number, random_argument(&table), random_argument(&table),
		          random_argument(&table));
		add_sequential(&table.own.view.control->doorbell, 1);
		ioctl(table.device, ASYNC_SYSCALL_DOORBELL); /* the device may be closed */
	}
	_exit(0);
}

int main(int argument_count, char **arguments)
{
	close(open_device());
	if (argument_count > 1)
		count = (uint32_t)strtoul(arguments[1], NULL, 10);
	if (argument_count > 2)
		seed = (uint32_t)strtoul(arguments[2], NULL, 10);
	CHECK_EQUAL(setpgid(0, 0), 0);
	for (int round = 0; round < 20; round++) {
		uint32_t its_seed = seed + (uint32_t)round * 7919 + 1;

		printf("round %d: %d\n", round, in_child(child, &its_seed));
	}
	return 0;
}
