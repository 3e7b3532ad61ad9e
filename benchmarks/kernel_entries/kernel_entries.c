/* SPDX-License-Identifier: MIT */
/*
 * kernel_entries.c - how often a process enters the kernel for each of its file reads.
 *
 * The work is the same for all: CALLS preads of 4 KiB from a cached file, `depth` of them in flight. The
 * owner waits as an event loop does, in poll(2). Entries are counted by the kernel's own tracepoint
 * raw_syscalls:sys_enter, for all threads of this process and for nobody else; instructions by the
 * processor, where it counts them (a guest without hardware virtualisation doesn't: 0). What a
 * participant opens and closes isn't counted. One participant for each run of the program:
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
#include <sys/resource.h>
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
static int counters[2];

static off_t offset_of(uint32_t call)
{
	return (off_t)(call * 7919 % PAGES) * SIZE;
}

static int open_counter(uint32_t type, uint64_t config)
{
	struct perf_event_attr attributes = {
	    .size = sizeof attributes, .type = type, .config = config, .disabled = 1, .inherit = 1};

	return (int)syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

/* Before there are threads: they inherit the counters. */
static void open_counters(void)
{
	FILE *id = fopen("/sys/kernel/tracing/events/raw_syscalls/sys_enter/id", "r");
	unsigned int number;

	MUST(id != NULL);
	MUST(fscanf(id, "%u", &number) == 1);
	fclose(id);
	counters[0] = open_counter(PERF_TYPE_TRACEPOINT, number);
	MUST(counters[0] >= 0);
	counters[1] = open_counter(PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS);
}

static void count(bool on)
{
	for (int i = 0; i < 2; i++)
		if (counters[i] >= 0)
			ioctl(counters[i], on ? PERF_EVENT_IOC_ENABLE : PERF_EVENT_IOC_DISABLE, 0);
}

static uint64_t counted(int counter)
{
	uint64_t value = 0;

	if (counter >= 0)
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

static double processor_seconds(void)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
	       (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

int main(int argument_count, char **arguments)
{
	uint32_t depth = argument_count == 3 ? (uint32_t)strtoul(arguments[2], NULL, 10) : 0;

	for (size_t i = 0; i < sizeof participants / sizeof participants[0]; i++) {
		if (depth == 0 || depth > MAX_DEPTH || strcmp(participants[i].name, arguments[1]) != 0)
			continue;
		file = memfd_create("kernel_entries", MFD_CLOEXEC);
		for (int page = 0; page < PAGES; page++)
			MUST(write(file, buffers[0], SIZE) == SIZE);
		open_counters();
		double before = processor_seconds();
		participants[i].run(depth);
		printf(
		    "{\"participant\": \"%s\", \"depth\": %u, \"calls\": %d, \"entries_per_call\": %.4f, "
		    "\"instructions_per_call\": %.0f, \"processor_microseconds_per_call\": %.2f}\n",
		    arguments[1], depth, CALLS, (double)counted(counters[0]) / CALLS,
		    (double)counted(counters[1]) / CALLS, (processor_seconds() - before) / CALLS * 1e6);
		return 0;
	}
	fprintf(stderr, "usage: kernel_entries plain|threads|kmod|io_uring DEPTH (1 to %d)\n",
	        MAX_DEPTH);
	return 2;
}
