/* SPDX-License-Identifier: MIT */
/*
 * fuzz_ioctl - the ioctls with random commands, arguments and memory, from several threads on a few open
 * files. fuzz_ioctl [COUNT [SEED]]
 */
#define _GNU_SOURCE
#include "kmod_table.h"

enum { FILES = 3, THREADS = 3 };

static int files[FILES];
static struct own_table tables[FILES];
static uint32_t count = 30000;
static uint32_t first_seed = 1;

static uint64_t interesting(uint32_t *seed)
{
	uint32_t value = next_random(seed);

	switch (value % 8) {
	case 0:
		return 0;
	case 1:
		return value;
	case 2:
		return (uint64_t)value << 32 | next_random(seed);
	case 3:
		return (uint64_t)1 << value % 64;
	case 4:
		return ~(uint64_t)0 - value % 256;
	case 5:
		return (uint64_t)(uintptr_t)tables[value % FILES].view.control + value % 3 * 64;
	case 6:
		return (uint64_t)tables[value % FILES].event_fd;
	default:
		return 1 + value % 16;
	}
}

static void fill(uint64_t *words, uint32_t size, uint32_t *seed)
{
	for (uint32_t i = 0; i < size; i++)
		words[i] = next_random(seed) % 3 ? 0 : interesting(seed);
}

static void *fuzz(void *argument)
{
	uint32_t seed = first_seed + (uint32_t)(uintptr_t)argument * 7919;
	uint64_t words[8];

	for (uint32_t i = 0; i < count; i++) {
		int file = files[next_random(&seed) % FILES];
		struct async_syscall_exec exec = {.idle_milliseconds = 1};
		struct async_syscall_init init = init_of(&tables[next_random(&seed) % FILES]);

		fill(words, 8, &seed);
		switch (next_random(&seed) % 8) {
		case 0:
			ioctl(file, ASYNC_SYSCALL_INIT, words);
			break;
		case 1:
			init.slots = next_random(&seed) % 3 ? init.slots : (__u32)words[0];
			init.address = next_random(&seed) % 3 ? init.address : words[1];
			ioctl(file, ASYNC_SYSCALL_INIT, &init);
			break;
		case 2:
			ioctl(file, ASYNC_SYSCALL_EXEC, &exec);
			break;
		case 3:
			ioctl(file, ASYNC_SYSCALL_CANCEL, words);
			break;
		case 4:
			ioctl(file, ASYNC_SYSCALL_DOORBELL, words[0]);
			break;
		case 5:
			ioctl(file, ASYNC_SYSCALL_COUNTERS, next_random(&seed) % 2 ? words : (void *)words[0]);
			break;
		case 6:
			ioctl(file, _IOC(words[0] & 3, ASYNC_SYSCALL_IOCTL_TYPE, words[1] & 15, words[2] & 127),
			      words);
			break;
		default:
			/* Never EXEC with what is random: without an idle time it waits for ever. */
			ioctl(file, (unsigned int)words[0], words[1]);
		}
	}
	return NULL;
}

int main(int argument_count, char **arguments)
{
	pthread_t threads[THREADS];

	if (argument_count > 1)
		count = (uint32_t)strtoul(arguments[1], NULL, 10);
	if (argument_count > 2)
		first_seed = (uint32_t)strtoul(arguments[2], NULL, 10);
	printf("seed %u, %u times\n", first_seed, count);
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < FILES; i++) {
			files[i] = open_device();
			tables[i] = make_own_table(8u << i);
		}
		for (uintptr_t i = 0; i < THREADS; i++)
			CHECK_EQUAL(pthread_create(&threads[i], NULL, fuzz, (void *)(i + round * 10)), 0);
		for (int i = 0; i < THREADS; i++)
			CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
		for (int i = 0; i < FILES; i++) {
			close(files[i]);
			free_own_table(&tables[i]);
		}
	}
	return 0;
}
