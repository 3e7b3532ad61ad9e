/* SPDX-License-Identifier: MIT */
/*
 * table.c - the owner's side: submit, reap, withdraw; making a table and taking it down.
 *
 * The owner is one thread, so its own bookkeeping (which slots are free, where in the ring a slot's
 * entry stands) is private memory without locks. Shared memory holds only what exec threads need.
 *
 * The shared pages are private and anonymous, and wiped in a forked child: the child gets neither
 * the parent's requests nor a way to post any. It is told by pthread_atfork, in memory that isn't
 * shared.
 */
#define _GNU_SOURCE
#include "table.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "atomics.h"
#include "exec.h"
#include "pool.h"

/*
 * Whoever takes so many at a time has something to do with them, and then as many new requests: it
 * looks for those by itself, even where nothing is in flight at the moment.
 */
enum { MANY_CALLS = 8 };

#define TRANSITION_ROW(from, to, who, how) {#from, #to, #who, how},
const struct async_syscall_transition async_syscall_transitions[] = {
    ASYNC_SYSCALL_TRANSITIONS(TRANSITION_ROW){NULL, NULL, NULL, NULL}};

/* The owner's steps, checked against the one table. Exec threads take theirs by compare-and-swap. */
#define TRANSITION_CASE(from, to, who, how) (SYSCALL_##from << 8 | SYSCALL_##to) == step ||
static inline void assert_transition(__u32 from, __u32 to)
{
	__u32 step = from << 8 | to;

	assert(ASYNC_SYSCALL_TRANSITIONS(TRANSITION_CASE) false);
	(void)step;
}

static const struct async_syscall_executor *const executors[] = {
    &async_syscall_executor_kmod,
    &async_syscall_executor_threads,
};

struct async_syscall_table {
	struct table_view view;
	const struct async_syscall_executor *executor;
	void *handle;
	struct pool *pool;
	size_t bytes;
	int event_fd;
	bool forked;
	uint32_t max_workers;

	uint32_t free_count;
	uint32_t *free;       /* a stack: the slot used last is the one still in the cache */
	uint64_t *entry_ends; /* by slot: the head is past its last entry in the ring from here on */

	uint64_t submitted;
	uint64_t completed;
	uint64_t withdrawn;
	uint64_t doorbells;

	struct async_syscall_table *next;
	struct async_syscall_table *previous;
};

/* All tables of this process, for the forked child's sake. */
static struct async_syscall_table tables = {.next = &tables, .previous = &tables};
static pthread_mutex_t tables_lock = PTHREAD_MUTEX_INITIALIZER;

static void before_fork(void)
{
	pthread_mutex_lock(&tables_lock);
}

static void after_fork_in_parent(void)
{
	pthread_mutex_unlock(&tables_lock);
}

static void after_fork_in_child(void)
{
	for (struct async_syscall_table *table = tables.next; table != &tables; table = table->next)
		table->forked = true;
	pthread_mutex_unlock(&tables_lock);
}

static void follow_forks(void)
{
	pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

static void list_table(struct async_syscall_table *table)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, follow_forks);
	pthread_mutex_lock(&tables_lock);
	table->next = tables.next;
	table->previous = &tables;
	tables.next->previous = table;
	tables.next = table;
	pthread_mutex_unlock(&tables_lock);
}

static void unlist_table(struct async_syscall_table *table)
{
	pthread_mutex_lock(&tables_lock);
	table->next->previous = table->previous;
	table->previous->next = table->next;
	pthread_mutex_unlock(&tables_lock);
}

static const struct async_syscall_executor *find_executor(const char *name)
{
	for (size_t i = 0; i < sizeof executors / sizeof executors[0]; i++)
		if (strcmp(executors[i]->name, name) == 0)
			return executors[i];
	return NULL;
}

static void free_table(struct async_syscall_table *table)
{
	if (table->view.control != NULL)
		munmap(table->view.control, table->bytes);
	if (table->event_fd >= 0)
		close(table->event_fd);
	free(table->free);
	free(table->entry_ends);
	free(table);
}

/* The steps of open, in an order in which free_table() can undo any part of them. */
static int build_table(struct async_syscall_table *table, uint32_t slots,
                       uint32_t idle_milliseconds)
{
	void *address;
	int error;

	table->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (table->event_fd < 0)
		return -errno;
	table->bytes = ASYNC_SYSCALL_TABLE_BYTES(slots);
	table->free = malloc(slots * sizeof table->free[0]);
	table->entry_ends = calloc(slots, sizeof table->entry_ends[0]);
	if (table->free == NULL || table->entry_ends == NULL)
		return -ENOMEM;
	address = mmap(NULL, table->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (address == MAP_FAILED)
		return -errno;
	error = async_syscall_init(address, slots, table->event_fd);
	if (error != 0) {
		munmap(address, table->bytes);
		return error;
	}
	table->view = table_view(address);
	if (madvise(address, table->bytes, MADV_WIPEONFORK) != 0) /* Linux 4.14 */
		return -errno;
	for (uint32_t i = 0; i < slots; i++)
		table->free[i] = slots - 1 - i;
	table->free_count = slots;
	error = table->executor->start(table->view.control, &table->handle);
	if (error != 0)
		return error;
	table->pool = pool_open(table->view.control, table->executor, table->handle, table->max_workers,
	                        idle_milliseconds);
	if (table->pool == NULL) {
		table->executor->stop(table->handle);
		return -ENOMEM;
	}
	return 0;
}

struct async_syscall_table *async_syscall_open(const char *executor, uint32_t slots,
                                               uint32_t max_workers, uint32_t idle_milliseconds,
                                               int *error)
{
	struct async_syscall_table *table;

	*error = -EINVAL;
	if (slots == 0 || slots > ASYNC_SYSCALL_MAX_SLOTS || (slots & (slots - 1)) != 0)
		return NULL;
	if (max_workers == 0 || max_workers > ASYNC_SYSCALL_MAX_SLOTS / 2)
		return NULL;
	*error = -ENOMEM;
	table = calloc(1, sizeof *table);
	if (table == NULL)
		return NULL;
	table->event_fd = -1;
	table->max_workers = max_workers;
	table->executor = find_executor(executor);
	*error = table->executor == NULL ? -ENOENT : build_table(table, slots, idle_milliseconds);
	if (*error != 0) {
		free_table(table);
		return NULL;
	}
	list_table(table);
	return table;
}

int async_syscall_event_fd(const struct async_syscall_table *table)
{
	return table->event_fd;
}

int async_syscall_is_forked(const struct async_syscall_table *table)
{
	return table->forked;
}

static void append(struct async_syscall_table *table, uint32_t slot)
{
	struct async_syscall_control *control = table->view.control;
	__u64 tail = control->pending_tail;

	store_relaxed(&table->view.pending[tail & (table->view.slots - 1)], slot);
	table->entry_ends[slot] = tail + 1;
	store_sequential(&control->pending_tail, tail + 1);
}

/*
 * Puts a slot whose state is already set where exec threads find it. Its old entry may still be in
 * the ring, left behind by a withdrawal: then whoever takes that entry finds the new state. The
 * state was written before the head is read here, and the taker moves the head before it reads
 * the state: one of the two sees the other.
 */
static void publish(struct async_syscall_table *table, uint32_t slot)
{
	if (table->entry_ends[slot] <= load_sequential(&table->view.control->pending_head))
		append(table, slot);
}

int32_t async_syscall_submit(struct async_syscall_table *table, uint32_t num, int64_t arg0,
                             int64_t arg1, int64_t arg2, int64_t arg3, int64_t arg4, int64_t arg5)
{
	struct syscall_info *info;
	uint32_t slot;

	if (table == NULL)
		return -EBADF;
	if (table->forked)
		return -ECHILD;
	if (table->free_count == 0)
		return -EAGAIN;
	slot = table->free[--table->free_count];
	info = &table->view.info[slot];
	/* An exec thread may look at it through an old entry of the ring: a compare-and-swap that fails. */
	assert_transition(load_relaxed(&info->state), SYSCALL_HASCALL);
	info->num = num;
	info->arg[0] = (__u64)arg0;
	info->arg[1] = (__u64)arg1;
	info->arg[2] = (__u64)arg2;
	info->arg[3] = (__u64)arg3;
	info->arg[4] = (__u64)arg4;
	info->arg[5] = (__u64)arg5;
	store_sequential(&info->state, (__u32)SYSCALL_HASCALL);
	publish(table, slot);
	table->submitted++;
	return (int32_t)slot;
}

void async_syscall_wake(struct async_syscall_table *table)
{
	if (pool_wake(table->pool))
		table->doorbells++;
}

int async_syscall_ring(struct async_syscall_table *table)
{
	int rung;

	if (table == NULL)
		return -EBADF;
	if (table->forked)
		return -ECHILD;
	rung = pool_ring(table->pool);
	if (rung < 0)
		return rung;
	table->doorbells += (uint64_t)rung;
	return 0;
}

static void free_slot(struct async_syscall_table *table, uint32_t slot)
{
	table->free[table->free_count++] = slot;
}

/* Takes the whole stack, which is the latest first. Returns how many pairs were written. */
static uint32_t take_completed(struct async_syscall_table *table, __u32 first, int64_t *pairs)
{
	uint32_t count = 0;

	for (__u32 slot = first; slot < table->view.slots; slot = table->view.next[slot]) {
		struct syscall_info *info = &table->view.info[slot];

		assert(load_acquire(&info->state) == SYSCALL_COMPLETED);
		assert_transition(SYSCALL_COMPLETED, SYSCALL_NONE);
		pairs[2 * count] = slot;
		pairs[2 * count + 1] = info->ret;
		store_relaxed(&info->state, (__u32)SYSCALL_NONE);
		free_slot(table, slot);
		count++;
	}
	for (uint32_t i = 0, j = count; i + 1 < j; i++) {
		int64_t slot = pairs[2 * i];
		int64_t ret = pairs[2 * i + 1];

		j--;
		pairs[2 * i] = pairs[2 * j];
		pairs[2 * i + 1] = pairs[2 * j + 1];
		pairs[2 * j] = slot;
		pairs[2 * j + 1] = ret;
	}
	table->completed += count;
	return count;
}

uint32_t async_syscall_reap(struct async_syscall_table *table, int notified, int64_t *out)
{
	__u32 *completed = &table->view.control->completed;
	uint64_t ignored;

	out[0] = 0;
	if (table->forked)
		return 0;
	/* The count is a hint; what it says doesn't matter, only that it is zero again. */
	if (notified)
		(void)!read(table->event_fd, &ignored, sizeof ignored);
	for (;;) {
		__u32 first = exchange_sequential(completed, (__u32)COMPLETED_POLLED);
		__u32 polled = COMPLETED_POLLED;
		uint32_t count = take_completed(table, first, out + 1);

		if (count != 0 && (count >= MANY_CALLS || table->free_count != table->view.slots)) {
			out[0] = 1;
			return count;
		}
		/* Nothing came since the last look, or nothing is left that could come and little was. */
		if (compare_and_swap(completed, &polled, (__u32)COMPLETED_ARMED))
			return count;
	}
}

int async_syscall_withdraw(struct async_syscall_table *table, uint32_t slot)
{
	__u32 state = SYSCALL_HASCALL;

	if (table->forked || slot >= table->view.slots)
		return 0;
	assert_transition(SYSCALL_HASCALL, SYSCALL_NONE);
	if (!compare_and_swap(&table->view.info[slot].state, &state, (__u32)SYSCALL_NONE))
		return 0;
	free_slot(table, slot);
	table->withdrawn++;
	return 1;
}

int async_syscall_interrupt(struct async_syscall_table *table, uint32_t slot)
{
	if (table->forked || slot >= table->view.slots)
		return -EINVAL;
	return table->executor->interrupt(table->handle, slot);
}

void async_syscall_statistics(const struct async_syscall_table *table,
                              struct async_syscall_statistics *out)
{
	const struct async_syscall_control *control = table->view.control;

	*out = (struct async_syscall_statistics){
	    .slots = table->view.slots,
	    .max_workers = table->max_workers,
	    .in_flight = table->view.slots - table->free_count,
	    .workers = table->forked ? 0 : pool_workers(table->pool),
	    .submitted = table->submitted,
	    .completed = table->completed,
	    .withdrawn = table->withdrawn,
	    .doorbells = table->doorbells,
	    .reinforcements = pool_reinforcements(table->pool),
	    .executed = load_relaxed(&control->executed),
	    .sleeps = load_relaxed(&control->sleeps),
	    .notifications = load_relaxed(&control->notifications),
	};
}

/*
 * Posts END in a free slot. It stays at the head of the ring. Its entry is a new one, even where an old
 * one is still there: a thread that has just found the slot withdrawn would take the old one out, and
 * END with it. Then the ring may hold one entry more than slots; what that overwrites is the entry of a
 * request that was withdrawn, as all are when this is called.
 */
static void end(struct async_syscall_table *table)
{
	uint32_t slot = table->free[--table->free_count];

	assert_transition(load_relaxed(&table->view.info[slot].state), SYSCALL_END);
	store_sequential(&table->view.info[slot].state, (__u32)SYSCALL_END);
	append(table, slot);
}

int async_syscall_close(struct async_syscall_table *table)
{
	if (!table->forked) {
		if (table->free_count != table->view.slots)
			return -EBUSY;
		end(table);
		pool_close(table->pool);
	} else {
		pool_forget(table->pool);
	}
	table->executor->stop(table->handle);
	unlist_table(table);
	free_table(table);
	return 0;
}

void async_syscall_abandon(struct async_syscall_table *table)
{
	if (table->forked)
		return;
	if (table->free_count != 0) /* else each thread leaves after its idle time */
		end(table);
	pool_abandon(table->pool);
}
