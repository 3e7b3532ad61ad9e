/* SPDX-License-Identifier: MIT */
/*
 * kernel_entries.c - how often a process enters the kernel for each of its file reads.
 *
 * The work is the same for all: CALLS preads of 4 KiB from a cached file, `depth` of them in flight. The
 * owner waits as an event loop does, in poll(2). Entries are counted by the kernel's own tracepoint
 * raw_syscalls:sys_enter, for all threads of this process and for nobody else. What a participant
 * opens and closes isn't counted. One participant for each run of the program:
 *
 *     kernel_entries plain|threads|kmod|io_uring DEPTH    prints one line of JSON
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "atomics.h"
#include "table.h"

enum { CALLS = 20000, SIZE = 4096, PAGES = 1024, MAX_DEPTH = 1024 };

#define MUST(condition)                                                                            \
	((condition) ? (void)0 : (fprintf(stderr, "%s: %s\n", #condition, strerror(errno)), exit(1)))

static char buffers[MAX_DEPTH][SIZE];
static int file;
static int counter;
static int64_t nanoseconds;

static off_t offset_of(uint32_t call)
{
	return (off_t)(call * 7919 % PAGES) * SIZE;
}

/* Before there are threads: they inherit the counter. */
static void open_counter(void)
{
	struct perf_event_attr attributes = {
	    .size = sizeof attributes, .type = PERF_TYPE_TRACEPOINT, .disabled = 1, .inherit = 1};
	FILE *id = fopen("/sys/kernel/tracing/events/raw_syscalls/sys_enter/id", "r");
	unsigned int number;

	MUST(id != NULL);
	MUST(fscanf(id, "%u", &number) == 1);
	fclose(id);
	attributes.config = number;
	counter = (int)syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	MUST(counter >= 0);
}

/* Of the process's processor time. */
static int64_t used_nanoseconds(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return used.tv_sec * 1000000000LL + used.tv_nsec;
}

static void count(bool on)
{
	nanoseconds = used_nanoseconds() - nanoseconds;
	ioctl(counter, on ? PERF_EVENT_IOC_ENABLE : PERF_EVENT_IOC_DISABLE, 0);
}

static uint64_t counted(void)
{
	uint64_t value;

	MUST(read(counter, &value, sizeof value) == sizeof value);
	return value;
}

static void run_plain(uint32_t depth)
{
	(void)depth;
	count(true);
	for (uint32_t i = 0; i < CALLS; i++)
		MUST(pread(file, buffers[0], SIZE, offset_of(i)) == SIZE);
	count(false);
}

static void run_table(const char *executor, uint32_t depth)
{
	static int64_t reaped[1 + 2 * MAX_DEPTH];
	int error = 0;
	struct async_syscall_table *table = async_syscall_open(executor, MAX_DEPTH, 64, 5000, &error);
	uint32_t submitted = 0;
	uint32_t done = 0;
	bool again = false;

	errno = -error;
	MUST(table != NULL);
	count(true);
	while (done < CALLS) {
		bool notified = false;
		uint32_t some;

		for (; submitted < CALLS && submitted - done < depth; submitted++)
			MUST(async_syscall_submit(table, SYS_pread64, file,
			                          (intptr_t)buffers[submitted % depth], SIZE,
			                          offset_of(submitted), 0, 0) >= 0);
		MUST(async_syscall_ring(table) == 0);
		if (!again) {
			struct pollfd told = {.fd = async_syscall_event_fd(table), .events = POLLIN};

			MUST(poll(&told, 1, 60000) == 1);
			notified = true;
		}
		some = async_syscall_reap(table, notified, reaped);
		again = reaped[0] != 0;
		for (uint32_t i = 0; i < some; i++)
			MUST(reaped[2 + 2 * i] == SIZE);
		done += some;
	}
	count(false);
	MUST(async_syscall_close(table) == 0);
}

static void run_threads(uint32_t depth)
{
	run_table("threads", depth);
}

static void run_kmod(uint32_t depth)
{
	run_table("kmod", depth);
}

static void run_io_uring(uint32_t depth)
{
	struct io_uring_params params = {0};
	int ring = (int)syscall(SYS_io_uring_setup, depth, &params);
	uint32_t submitted = 0;
	uint32_t done = 0;
	char *rings;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
	uint32_t *sq_array;
	uint32_t *sq_tail;
	uint32_t *cq_head;
	uint32_t *cq_tail;

	MUST(ring >= 0);
	MUST((params.features & IORING_FEAT_SINGLE_MMAP) != 0);
	rings = mmap(NULL,
	             params.sq_off.array + params.sq_entries * 4 + params.cq_off.cqes +
	                 params.cq_entries * sizeof *cqes,
	             PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQ_RING);
	MUST(rings != MAP_FAILED);
	sqes = mmap(NULL, params.sq_entries * sizeof *sqes, PROT_READ | PROT_WRITE,
	            MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQES);
	MUST(sqes != MAP_FAILED);
	sq_tail = (uint32_t *)(rings + params.sq_off.tail);
	sq_array = (uint32_t *)(rings + params.sq_off.array);
	cq_head = (uint32_t *)(rings + params.cq_off.head);
	cq_tail = (uint32_t *)(rings + params.cq_off.tail);
	cqes = (struct io_uring_cqe *)(rings + params.cq_off.cqes);
	count(true);
	while (done < CALLS) {
		uint32_t tail = *sq_tail;
		uint32_t fresh = 0;
		uint32_t head = *cq_head;

		for (; submitted < CALLS && submitted - done < depth; submitted++, fresh++, tail++) {
			uint32_t index = tail & (params.sq_entries - 1);

			sqes[index] = (struct io_uring_sqe){.opcode = IORING_OP_READ,
			                                    .fd = file,
			                                    .addr = (uintptr_t)buffers[submitted % depth],
			                                    .len = SIZE,
			                                    .off = (__u64)offset_of(submitted)};
			sq_array[index] = index;
		}
		store_release(sq_tail, tail);
		MUST(syscall(SYS_io_uring_enter, ring, fresh, 1, IORING_ENTER_GETEVENTS, NULL, 0) ==
		     (long)fresh);
		for (; head != load_acquire(cq_tail); head++, done++)
			MUST(cqes[head & (params.cq_entries - 1)].res == SIZE);
		store_release(cq_head, head);
	}
	count(false);
	close(ring);
}

static const struct {
	const char *name;
	void (*run)(uint32_t depth);
} participants[] = {
    {"plain", run_plain},
    {"threads", run_threads},
    {"kmod", run_kmod},
    {"io_uring", run_io_uring},
};

int main(int argument_count, char **arguments)
{
	uint32_t depth = argument_count == 3 ? (uint32_t)strtoul(arguments[2], NULL, 10) : 0;

	for (size_t i = 0; i < sizeof participants / sizeof participants[0]; i++) {
		if (depth == 0 || depth > MAX_DEPTH || strcmp(participants[i].name, arguments[1]) != 0)
			continue;
		/* In a real file system: io_uring leaves those in memory to threads. */
		file = open(getenv("TMPDIR") == NULL ? "/tmp" : getenv("TMPDIR"), O_TMPFILE | O_RDWR, 0600);
		MUST(file >= 0);
		for (int page = 0; page < PAGES; page++)
			MUST(write(file, buffers[0], SIZE) == SIZE);
		open_counter();
		participants[i].run(depth);
		printf(
		    "{\"participant\": \"%s\", \"depth\": %u, \"calls\": %d, \"entries_per_call\": %.4f, "
		    "\"nanoseconds_per_call\": %.1f}\n",
		    arguments[1], depth, CALLS, (double)counted() / CALLS, (double)nanoseconds / CALLS);
		return 0;
	}
	fprintf(stderr, "usage: kernel_entries plain|threads|kmod|io_uring DEPTH (1 to %d)\n",
	        MAX_DEPTH);
	return 2;
}
