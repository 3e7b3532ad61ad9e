/* SPDX-License-Identifier: MIT */
/*
 * pool.c - how many exec threads a table has, and when one more is woken.
 *
 * One thread is enough for calls that return quickly: the loop needs longer to make a request than
 * the kernel to answer it from its caches, and every further thread takes a core from the loop. So
 * a burst wakes one thread: the first request does, if there is a second processor, so that the
 * thread is at work while the loop writes the others. (On a single one it would run for each
 * request alone, and is woken when all are there.) But any call may block, nobody can tell beforehand, and then the
 * requests behind it must not wait. That is noticed, not guessed: while requests are about, one
 * thread (the watch) looks at the ring every millisecond. Where a request that it saw on the
 * last look is still there:
 *
 *   enough threads are runnable   the processors are busy, with them or with others: one more would
 *                                 not help. (Enough is one less than there are processors: the
 *                                 loop, whose completions these are, needs one too.) Unless
 *                                 nothing is claimed for ten looks: then a call computes for
 *                                 that long, like a read of a gigabyte.
 *   nothing was claimed since     every awake thread is stuck in its call. They are written off
 *                                 (see `awake` in async_syscall.h), and others are woken or started:
 *                                 one, and twice as many each time that it doesn't help.
 *   something was claimed         the threads wait in the kernel now and then, say for a disk: one
 *                                 more keeps more requests in flight.
 *
 * The watch sleeps, without a time-out, as soon as nothing has been submitted for a while and it
 * could do nothing for what waits. Before that it writes off threads that are stuck with nothing
 * behind them, so that the next request rings at once instead of waiting to be noticed. Exec threads
 * leave after an idle time; none is started before the first request.
 */
#define _GNU_SOURCE
#include "pool.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "atomics.h"
#include "exec.h"
#include "futex.h"
#include "interrupt_signal.h"

enum {
	LOOK_NANOSECONDS = 1000 * 1000,
	QUIET_LOOKS = 20,        /* without a new request, and the watch sleeps */
	PATIENT_LOOKS = 10,      /* without a claim, though the processors are busy */
	STACK_BYTES = 64 * 1024, /* and what the thread-local variables of the process take */
};

enum worker_state { WORKER_NONE, WORKER_RUNNING, WORKER_LEFT };

struct worker {
	struct pool *pool;
	pthread_t thread;
	pid_t id; /* 0: not running */
	enum worker_state state;
	uint32_t number;
};

struct pool {
	struct async_syscall_control *control;
	const struct async_syscall_executor *executor;
	void *handle;
	uint32_t max_workers;
	uint32_t idle_milliseconds;
	uint32_t processors;      /* that this process may use */
	uint32_t busy_processors; /* more than these aren't kept busy by exec threads */

	pthread_mutex_t lock; /* threads come and go, and the states of workers; no call takes it */
	pthread_t watch;
	bool has_watch;
	__u32 workers;
	__u64 reinforcements;
	struct worker worker[];
};

/*
 * glibc puts thread-local variables onto the stack, and a process may have more than fit on a small
 * one: then pthread_create() fails. How much they take glibc tells only its friends, and Rust's std.
 */
static size_t stack_bytes(const pthread_attr_t *attributes)
{
	size_t (*least)(const pthread_attr_t *);

	*(void **)&least = dlsym(RTLD_DEFAULT, "__pthread_get_minstack");
	return STACK_BYTES + (least == NULL ? 0 : least(attributes));
}

/* A thread with a small stack that blocks all signals but the one that interrupts calls. */
static int start_thread(pthread_t *thread, void *(*function)(void *), void *argument)
{
	pthread_attr_t attributes;
	sigset_t blocked;
	sigset_t before;
	int error;

	error = pthread_attr_init(&attributes);
	if (error != 0)
		return -error;
	pthread_attr_setstacksize(&attributes, stack_bytes(&attributes));
	sigfillset(&blocked);
	sigdelset(&blocked, interrupt_signal());
	/* Inherited from birth: no signal of the process can land on the thread in between. */
	pthread_sigmask(SIG_SETMASK, &blocked, &before);
	error = pthread_create(thread, &attributes, function, argument);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return -error;
}

static void *worker_main(void *argument)
{
	struct worker *worker = argument;
	struct pool *pool = worker->pool;
	char name[16];

	snprintf(name, sizeof name, "asyncsys-exec%u", worker->number % 100);
	prctl(PR_SET_NAME, name);
	store_relaxed(&worker->id, (pid_t)syscall(SYS_gettid));
	for (;;) {
		int result = pool->executor->exec(pool->handle, pool->idle_milliseconds);

		/*
		 * Idle, or so it seemed: who has submitted meanwhile saw no sleeper, and could not start
		 * another thread in this one's place. Under the lock, one of the two sees the other. A
		 * token without a request counts too: it was counted as an awake thread.
		 */
		pthread_mutex_lock(&pool->lock);
		if (result == -ETIME &&
		    (!ring_is_empty(pool->control) || load_sequential(&pool->control->doorbell) != 0)) {
			pthread_mutex_unlock(&pool->lock);
			continue;
		}
		worker->state = WORKER_LEFT;
		store_relaxed(&worker->id, 0);
		subtract_sequential(&pool->workers, 1);
		pthread_mutex_unlock(&pool->lock);
		return NULL;
	}
}

/* Returns false where there are max_workers already, or the system has no thread to give. */
static bool start_worker(struct pool *pool)
{
	bool started = false;

	pthread_mutex_lock(&pool->lock);
	for (uint32_t i = 0; i < pool->max_workers; i++) {
		struct worker *worker = &pool->worker[i];

		if (worker->state == WORKER_RUNNING)
			continue;
		if (worker->state == WORKER_LEFT)
			pthread_join(worker->thread, NULL);
		worker->pool = pool;
		worker->number = i;
		worker->state = WORKER_RUNNING;
		add_sequential(&pool->workers, 1);
		started = start_thread(&worker->thread, worker_main, worker) == 0;
		if (!started) {
			subtract_sequential(&pool->workers, 1);
			worker->state = WORKER_NONE;
		}
		break;
	}
	pthread_mutex_unlock(&pool->lock);
	return started;
}

/*
 * One thread more: a sleeping one, else a new one. It is counted as awake from now on; what it gets
 * is a token, which a new thread finds when it first goes to sleep. Returns false where there is no
 * thread, and the system gives none.
 */
static bool wake_or_start(struct pool *pool)
{
	struct async_syscall_control *control = pool->control;
	__u32 tokens = load_sequential(&control->doorbell);
	__u32 workers = load_sequential(&pool->workers);
	bool all_called = tokens != 0 && load_sequential(&control->sleepers) <= tokens;

	if (all_called && workers >= pool->max_workers)
		return true; /* all are at work, and the first to finish finds a token */
	/* One token for each is enough, however often the system refuses a thread. */
	if (!all_called || tokens < workers) {
		add_sequential(&control->awake, 1);
		pool->executor->ring(pool->handle);
	}
	/* A thread that is about to leave takes itself off the sleepers, and then looks for a token. */
	if (load_sequential(&control->sleepers) != 0 || start_worker(pool))
		return true;
	/* A worker that leaves looks at the ring before it isn't counted any more. */
	return load_sequential(&pool->workers) != 0 || ring_is_empty(control);
}

/* Whether every exec thread that there may be is at work: then whoever is done first goes on. */
static bool all_at_work(struct pool *pool)
{
	return load_sequential(&pool->control->sleepers) == 0 &&
	       load_sequential(&pool->workers) >= pool->max_workers;
}

static void write_off_awake(struct async_syscall_control *control)
{
	__u32 awake = load_sequential(&control->awake);
	__u32 next_epoch = (awake >> AWAKE_EPOCH_SHIFT) + 1;

	/* Where somebody joins or leaves meanwhile, not everybody is stuck. */
	if ((awake & AWAKE_COUNT) != 0)
		compare_and_swap(&control->awake, &awake, next_epoch << AWAKE_EPOCH_SHIFT);
}

/* Whether a thread has a processor or waits for one, rather than for something in the kernel. */
static bool is_runnable(pid_t thread)
{
	char path[48];
	char stat[128];
	const char *state;
	ssize_t length;
	int fd;

	snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false; /* no /proc: then more threads than would help, at worst */
	length = read(fd, stat, sizeof stat - 1);
	close(fd);
	if (length <= 0)
		return false;
	stat[length] = 0;
	/* "tid (name) R ...": see proc(5). The name is ours and has no parenthesis. */
	state = strrchr(stat, ')');
	return state != NULL && state[1] == ' ' && state[2] == 'R';
}

/* Whether exec threads keep as many processors busy as they should, or would if they got them. */
static bool processors_are_busy(struct pool *pool)
{
	uint32_t runnable = 0;

	/* Without the lock: a thread that has just left is not runnable, and no harm is done. */
	for (uint32_t i = 0; i < pool->max_workers && runnable < pool->busy_processors; i++) {
		pid_t thread = load_relaxed(&pool->worker[i].id);

		if (thread != 0 && is_runnable(thread))
			runnable++;
	}
	return runnable >= pool->busy_processors;
}

/* Until the next look: an interval, or as many as need no attention where the executor watches. */
static void wait_for_look(struct pool *pool, __u64 *head, __u64 *tail)
{
	static const struct timespec interval = {.tv_nsec = LOOK_NANOSECONDS};

	if (pool->executor->watch == NULL ||
	    pool->executor->watch(pool->handle, LOOK_NANOSECONDS / 1000, pool->busy_processors, head,
	                          tail) != 0)
		futex_wait(&pool->control->watching, WATCH_AWAKE, &interval);
}

static void watch_until_quiet(struct pool *pool)
{
	struct async_syscall_control *control = pool->control;
	__u64 head_before = load_sequential(&control->pending_head);
	__u64 tail_before = load_sequential(&control->pending_tail);
	uint32_t quiet = 0;
	uint32_t stuck = 0;
	uint32_t unmoved = 0; /* looks at which something waited and nothing had been claimed */

	while (quiet < QUIET_LOOKS) {
		__u64 head;
		__u64 tail;

		wait_for_look(pool, &head_before, &tail_before);
		if (load_acquire(&control->watching) == WATCH_STOPPED)
			return;
		head = load_sequential(&control->pending_head);
		tail = load_sequential(&control->pending_tail);
		quiet = tail == tail_before && (head == tail || all_at_work(pool)) ? quiet + 1 : 0;

		unmoved = head == head_before && head < tail_before ? unmoved + 1 : 0;

		if (head >= tail_before || all_at_work(pool) ||
		    (unmoved < PATIENT_LOOKS && processors_are_busy(pool))) {
			stuck = 0;
		} else {
			unmoved = 0;
			uint32_t more = 1;

			if (head == head_before) {
				more = 1u << (stuck < 6 ? stuck : 6);
				stuck++;
				write_off_awake(control);
			} else {
				stuck = 0;
			}
			for (uint32_t i = 0; i < more && i < tail - head; i++)
				wake_or_start(pool);
			add_relaxed(&pool->reinforcements, 1);
		}
		head_before = head;
		tail_before = tail;
	}
	/* Nothing to do for a while. Who is still awake is in a call that takes long. */
	write_off_awake(control);
}

static void *watch_main(void *argument)
{
	struct pool *pool = argument;
	__u32 *watching = &pool->control->watching;

	prctl(PR_SET_NAME, "asyncsys-watch");
	prctl(PR_SET_TIMERSLACK, 1000UL);
	while (load_acquire(watching) != WATCH_STOPPED) {
		__u32 awake = WATCH_AWAKE;

		watch_until_quiet(pool);
		if (!compare_and_swap(watching, &awake, (__u32)WATCH_ASLEEP))
			break;
		/* A request that came before the store found the watch awake, and told nobody. */
		if (!ring_is_empty(pool->control) && !all_at_work(pool)) {
			__u32 asleep = WATCH_ASLEEP;

			compare_and_swap(watching, &asleep, (__u32)WATCH_AWAKE);
			continue;
		}
		while (load_acquire(watching) == WATCH_ASLEEP)
			futex_wait(watching, WATCH_ASLEEP, NULL);
	}
	return NULL;
}

static void call_watch(struct pool *pool)
{
	__u32 asleep = WATCH_ASLEEP;

	if (!compare_and_swap(&pool->control->watching, &asleep, (__u32)WATCH_AWAKE))
		return;
	if (pool->has_watch) {
		futex_wake(&pool->control->watching, 1);
		return;
	}
	pthread_mutex_lock(&pool->lock);
	pool->has_watch = start_thread(&pool->watch, watch_main, pool) == 0;
	pthread_mutex_unlock(&pool->lock);
	/* Without one, the next request tries again. */
	if (!pool->has_watch)
		store_release(&pool->control->watching, (__u32)WATCH_ASLEEP);
}

int pool_ring(struct pool *pool)
{
	struct async_syscall_control *control = pool->control;
	__u64 tail = load_sequential(&control->pending_tail);
	__u64 waiting = tail - load_sequential(&control->pending_head);
	bool rung = false;

	if (waiting == 0)
		return false;
	if ((load_sequential(&control->awake) & AWAKE_COUNT) == 0) {
		if (!wake_or_start(pool)) {
			write_off_awake(control);
			return -EAGAIN;
		}
		rung = true;
		if (waiting == 1)
			return true; /* nothing stands behind it */
	}
	if (load_sequential(&control->watching) == WATCH_ASLEEP)
		call_watch(pool);
	return rung;
}

bool pool_wake(struct pool *pool)
{
	return pool->processors > 1 && (load_sequential(&pool->control->awake) & AWAKE_COUNT) == 0 &&
	       pool_ring(pool) > 0;
}

struct pool *pool_open(struct async_syscall_control *control,
                       const struct async_syscall_executor *executor, void *handle,
                       uint32_t max_workers, uint32_t idle_milliseconds)
{
	struct pool *pool = calloc(1, sizeof *pool + max_workers * sizeof pool->worker[0]);
	if (pool == NULL)
		return NULL;
	pool->control = control;
	pool->executor = executor;
	pool->handle = handle;
	pool->max_workers = max_workers;
	pool->idle_milliseconds = idle_milliseconds;
	pool->processors = processors_allowed();
	pool->busy_processors = pool->processors > 1 ? pool->processors - 1 : 1;
	pthread_mutex_init(&pool->lock, NULL);
	return pool;
}

uint32_t pool_workers(const struct pool *pool)
{
	return load_relaxed(&pool->workers);
}

uint64_t pool_reinforcements(const struct pool *pool)
{
	return load_relaxed(&pool->reinforcements);
}

void pool_abandon(struct pool *pool)
{
	/* The watch first: it starts threads, and takes an END that stays in the ring for a request. */
	store_release(&pool->control->watching, (__u32)WATCH_STOPPED);
	if (pool->has_watch) {
		futex_wake(&pool->control->watching, 1);
		pthread_join(pool->watch, NULL);
	}
	for (uint32_t i = 0; i < pool->max_workers; i++)
		pool->executor->ring(pool->handle);
}

void pool_close(struct pool *pool)
{
	pool_abandon(pool);
	for (uint32_t i = 0; i < pool->max_workers; i++) {
		enum worker_state state;

		pthread_mutex_lock(&pool->lock);
		state = pool->worker[i].state;
		pthread_mutex_unlock(&pool->lock);
		if (state != WORKER_NONE)
			pthread_join(pool->worker[i].thread, NULL);
	}
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

void pool_forget(struct pool *pool)
{
	free(pool);
}
