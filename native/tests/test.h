/* SPDX-License-Identifier: MIT */
/*
 * test.h - what the C tests share. A test is a program: it leaves main() with 0, or a check ends it.
 * ASYNCSYS_EXECUTOR chooses who runs the calls (threads).
 *
 * Nothing here asserts how long something took. What waits, waits without end but for HANG: a
 * minute in which nothing at all happened is a request or a notification that was lost.
 */
#ifndef TEST_H
#define TEST_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "atomics.h"
#include "exec.h"
#include "table.h"

enum { HANG_MILLISECONDS = 60 * 1000, STATUS_SKIPPED = 77 };

/* The sanitizers take ten times as long. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { SLOWER = 10 };
#else
enum { SLOWER = 1 };
#endif

/* How often to repeat something: less often where the machine is that many times slower. */
static inline uint32_t rounds(uint32_t count)
{
	const char *scale = getenv("ASYNCSYS_TIME_SCALE"); // NOLINT(concurrency-mt-unsafe)
	uint32_t slower = scale == NULL ? 1 : (uint32_t)strtoul(scale, NULL, 10);

	return count / SLOWER / (slower == 0 ? 1 : slower);
}

#define CHECK(condition)                                                                           \
	((condition) ? (void)0 : fail_test(__FILE__, __LINE__, "not true: %s", #condition))

#define CHECK_EQUAL(actual, expected)                                                              \
	check_equal(__FILE__, __LINE__, #actual, (int64_t)(actual), (int64_t)(expected))

#define SKIP(...) (printf(__VA_ARGS__), (void)fflush(stdout), _exit(STATUS_SKIPPED))

__attribute__((format(printf, 3, 4), noreturn)) static inline void
fail_test(const char *file, int line, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "%s:%d: ", file, line);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	_exit(1); /* the other threads are still there */
}

static inline void check_equal(const char *file, int line, const char *what, int64_t actual,
                               int64_t expected)
{
	if (actual != expected)
		fail_test(file, line, "%s is %" PRId64 ", not %" PRId64, what, actual, expected);
}

/* xorshift32: the same numbers in each run, and no lock. */
static inline uint32_t next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

static inline void spin(uint32_t rounds)
{
	for (uint32_t i = 0; i < rounds; i++)
		pause_briefly();
}

static inline void sleep_microseconds(long microseconds)
{
	const struct timespec time = {microseconds / 1000000, microseconds % 1000000 * 1000};

	nanosleep(&time, NULL);
}

/* Waits for something that isn't told about. */
#define WAIT_UNTIL(condition)                                                                      \
	do {                                                                                           \
		int milliseconds_ = 0;                                                                     \
		while (!(condition)) {                                                                     \
			if (milliseconds_++ > HANG_MILLISECONDS)                                               \
				fail_test(__FILE__, __LINE__, "never came: %s", #condition);                       \
			sleep_microseconds(1000);                                                              \
		}                                                                                          \
	} while (0)

/* ---- the owner: an event loop in small ---- */

struct owner {
	struct async_syscall_table *table;
	uint32_t slots;
	int64_t *reaped; /* what async_syscall_reap() writes */
	int64_t *out;    /* the pairs in it: slot and result */
	bool again;      /* the table won't tell, look again */
};

static inline struct owner open_owner(uint32_t slots, uint32_t max_workers, uint32_t idle)
{
	struct owner owner = {.slots = slots};
	const char *executor = getenv("ASYNCSYS_EXECUTOR"); // NOLINT(concurrency-mt-unsafe)
	int error = 1;

	owner.table = async_syscall_open(executor == NULL ? "threads" : executor, slots, max_workers,
	                                 idle, &error);
	if (owner.table == NULL)
		fail_test(__FILE__, __LINE__, "async_syscall_open: %s", strerrorname_np(-error));
	CHECK_EQUAL(error, 0);
	owner.reaped = calloc(1 + 2 * (size_t)slots, sizeof owner.reaped[0]);
	CHECK(owner.reaped != NULL);
	owner.out = owner.reaped + 1;
	return owner;
}

static inline void close_owner(struct owner *owner)
{
	CHECK_EQUAL(async_syscall_close(owner->table), 0);
	free(owner->reaped);
}

static inline struct async_syscall_statistics statistics(const struct owner *owner)
{
	struct async_syscall_statistics counted;

	async_syscall_statistics(owner->table, &counted);
	return counted;
}

/* Looks once, as after a tick of the loop. Returns how many have completed. */
static inline uint32_t reap_now(struct owner *owner, int notified)
{
	uint32_t count = async_syscall_reap(owner->table, notified, owner->reaped);

	owner->again = owner->reaped[0] != 0;
	return count;
}

/* Waits as an event loop does: asleep in poll(2) until it is told, unless it has to look again. */
static inline uint32_t reap(struct owner *owner)
{
	struct pollfd told = {.fd = async_syscall_event_fd(owner->table), .events = POLLIN};
	uint32_t count;

	do {
		if (owner->again) {
			sched_yield();
			count = reap_now(owner, 0);
			continue;
		}
		switch (poll(&told, 1, HANG_MILLISECONDS)) {
		case 0:
			fail_test(__FILE__, __LINE__, "never told: a request or a notification is lost");
		case 1:
			count = reap_now(owner, 1);
			break;
		default:
			CHECK_EQUAL(errno, EINTR);
			count = 0;
		}
	} while (count == 0);
	return count;
}

/* Reaps `count` calls. Where `results` isn't NULL, results[slot] is what the call gave. */
static inline void reap_all(struct owner *owner, uint32_t count, int64_t *results)
{
	while (count != 0) {
		uint32_t some = reap(owner);

		CHECK(some <= count);
		count -= some;
		for (uint32_t i = 0; results != NULL && i < some; i++)
			results[owner->out[2 * i]] = owner->out[2 * i + 1];
	}
}

/* Rings, and returns the result of the only call that is in flight. */
static inline int64_t result_of(struct owner *owner, int32_t slot)
{
	CHECK_EQUAL(async_syscall_ring(owner->table), 0);
	CHECK_EQUAL(reap(owner), 1);
	CHECK_EQUAL(owner->out[0], slot);
	return owner->out[1];
}

/* ---- calls ---- */

static inline int32_t submit(struct owner *owner, long number, int64_t arg0, int64_t arg1,
                             int64_t arg2)
{
	return async_syscall_submit(owner->table, (uint32_t)number, arg0, arg1, arg2, 0, 0, 0);
}

/* One that never blocks. Its result is getpid(). */
static inline int32_t submit_quick(struct owner *owner)
{
	return submit(owner, SYS_getpid, 0, 0, 0);
}

/* One that blocks where the descriptor is an empty pipe. */
static inline int32_t submit_read(struct owner *owner, int fd, void *buffer, size_t count)
{
	return submit(owner, SYS_read, fd, (intptr_t)buffer, (int64_t)count);
}

static inline int32_t submit_write(struct owner *owner, int fd, const void *buffer, size_t count)
{
	return submit(owner, SYS_write, fd, (intptr_t)buffer, (int64_t)count);
}

static inline void open_pipe(int ends[2])
{
	CHECK_EQUAL(pipe2(ends, O_CLOEXEC), 0);
}

/* Withdraws or interrupts until the slot has completed; the only one that does. -ECANCELED is expected. */
static inline int64_t cancel(struct owner *owner, int32_t slot)
{
	for (uint32_t i = 1;; i++) {
		int result = async_syscall_interrupt(owner->table, (uint32_t)slot);

		CHECK(result == 0 || result == -EAGAIN);
		if (reap_now(owner, 0) != 0) {
			CHECK_EQUAL(owner->out[0], slot);
			return owner->out[1];
		}
		sleep_microseconds(i < 1000 ? 10 : 1000);
	}
}

/* ---- what the process has ---- */

static inline uint32_t count_entries(const char *directory)
{
	DIR *entries = opendir(directory);
	uint32_t count = 0;

	CHECK(entries != NULL);
	while (readdir(entries) != NULL) // NOLINT(concurrency-mt-unsafe): nobody else has this one
		count++;
	closedir(entries);
	return count;
}

/* The first line of /proc/self/task/THREAD/FILE, without its end. */
static inline void read_thread_file(int thread, const char *file, char *content, size_t size)
{
	char path[64];
	ssize_t length;
	int fd;

	snprintf(path, sizeof path, "/proc/self/task/%d/%s", thread, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? 0 : read(fd, content, size - 1);
	if (fd >= 0)
		close(fd);
	content[length < 0 ? 0 : length] = '\0'; /* a thread that has just left has no name */
}

/* Lists the threads whose name begins so. Returns how many there are; the first `size` are written. */
static inline uint32_t find_threads(const char *name, int *threads, uint32_t size)
{
	DIR *entries = opendir("/proc/self/task");
	const struct dirent *entry;
	uint32_t count = 0;

	CHECK(entries != NULL);
	while ((entry = readdir(entries)) != NULL) { // NOLINT(concurrency-mt-unsafe)
		char present[32];
		int thread = (int)strtol(entry->d_name, NULL, 10);

		read_thread_file(thread, "comm", present, sizeof present);
		if (strncmp(present, name, strlen(name)) != 0)
			continue;
		if (count < size)
			threads[count] = thread;
		count++;
	}
	closedir(entries);
	return count;
}

static inline uint32_t exec_threads(void)
{
	return find_threads("asyncsys-exec", NULL, 0);
}

/* How often the threads of the library have gone to sleep; -1 where one runs, or wants to. */
static inline long context_switches(void)
{
	int threads[64];
	uint32_t count = find_threads("asyncsys-", threads, 64);
	long sum = 0;

	CHECK(count <= 64);
	for (uint32_t i = 0; i < count; i++) {
		static const char key[] = "\nvoluntary_ctxt_switches:";
		char status[4096];
		const char *found;

		read_thread_file(threads[i], "status", status, sizeof status);
		if (strstr(status, "\nState:\tS") == NULL)
			return -1;
		found = strstr(status, key);
		if (found != NULL)
			sum += strtol(found + strlen(key), NULL, 10);
	}
	return sum;
}

/* Whether no thread of the library runs: none did for a while. */
static inline bool library_is_asleep(void)
{
	long before = context_switches();

	sleep_microseconds(50 * 1000);
	return before >= 0 && context_switches() == before;
}

#endif /* TEST_H */
