/* SPDX-License-Identifier: MIT */
/*
 * kmod_table.h - a table that the module serves, without the library's pool: the test's own threads
 * enter EXEC, and the test rings the doorbell. A request or a doorbell that is lost stays lost.
 */
#ifndef KMOD_TABLE_H
#define KMOD_TABLE_H

#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "own_table.h"

struct kmod_table {
	struct own_table own;
	int device;
};

static inline int open_device(void)
{
	int device = open(ASYNC_SYSCALL_DEVICE, O_RDWR | O_CLOEXEC);

	if (device < 0 && (errno == ENOENT || errno == EACCES))
		SKIP("can't open %s: %s\n", ASYNC_SYSCALL_DEVICE, strerror(errno));
	CHECK(device >= 0);
	return device;
}

static inline struct async_syscall_init init_of(const struct own_table *own)
{
	return (struct async_syscall_init){
	    .abi_version = ASYNC_SYSCALL_ABI_VERSION,
	    .address = (__u64)(uintptr_t)own->view.control,
	    .slots = own->view.slots,
	    .event_fd = own->event_fd,
	};
}

/* The result of an ioctl, or -errno. */
#define CALL(...) (ioctl(__VA_ARGS__) == 0 ? 0 : -errno)

static inline struct kmod_table make_kmod_table(uint32_t slots)
{
	struct kmod_table table = {.device = open_device(), .own = make_own_table(slots)};
	struct async_syscall_init init = init_of(&table.own);

	CHECK_EQUAL(CALL(table.device, ASYNC_SYSCALL_INIT, &init), 0);
	return table;
}

static inline void free_kmod_table(struct kmod_table *table)
{
	close(table->device);
	free_own_table(&table->own);
}

static inline struct syscall_info *slot_of(struct kmod_table *table, uint32_t slot)
{
	return &table->own.view.info[slot];
}

static inline uint32_t state_of(struct kmod_table *table, uint32_t slot)
{
	return load_acquire(&slot_of(table, slot)->state);
}

/* Always, whether somebody is awake or not. */
static inline void ring(struct kmod_table *table)
{
	struct async_syscall_control *control = table->own.view.control;

	add_sequential(&control->awake, 1);
	add_sequential(&control->doorbell, 1);
	CHECK_EQUAL(CALL(table->device, ASYNC_SYSCALL_DOORBELL), 0);
}

static inline void call(struct kmod_table *table, uint32_t slot, long number, int64_t arg0,
                        int64_t arg1, int64_t arg2)
{
	post_call(&table->own, slot, number, arg0, arg1, arg2);
	ring(table);
}

/* For several calls in flight: waits for this slot, whatever the eventfd says. */
static inline int64_t wait_for(struct kmod_table *table, uint32_t slot)
{
	WAIT_UNTIL(state_of(table, slot) == SYSCALL_COMPLETED);
	store_relaxed(&slot_of(table, slot)->state, (__u32)SYSCALL_NONE);
	return slot_of(table, slot)->ret;
}

static inline int cancel_slot(struct kmod_table *table, uint32_t slot)
{
	struct async_syscall_cancel request = {.slot = slot};

	return CALL(table->device, ASYNC_SYSCALL_CANCEL, &request);
}

/* Repeats it until the call is over, as the library does. */
static inline int64_t cancel_until_over(struct kmod_table *table, uint32_t slot)
{
	while (state_of(table, slot) != SYSCALL_COMPLETED) {
		int result = cancel_slot(table, slot);

		CHECK(result == 0 || result == -EAGAIN);
		sleep_microseconds(100);
	}
	return wait_for(table, slot);
}

static inline struct async_syscall_counters counters_of(struct kmod_table *table)
{
	struct async_syscall_counters counters;

	CHECK_EQUAL(CALL(table->device, ASYNC_SYSCALL_COUNTERS, &counters), 0);
	return counters;
}

struct kmod_thread {
	pthread_t thread;
	struct kmod_table *table;
	uint32_t idle_milliseconds;
	uint32_t interrupted; /* times that EXEC returned EINTR */
	pid_t tid;
	int returned; /* what EXEC gave in the end, or -errno */
};

/* Once; the caller sees to EINTR. */
static inline int exec_once(struct kmod_table *table, uint32_t idle_milliseconds)
{
	const struct async_syscall_exec exec = {.idle_milliseconds = idle_milliseconds};
	int result = ioctl(table->device, ASYNC_SYSCALL_EXEC, &exec);

	return result >= 0 ? result : -errno;
}

static inline void *kmod_thread_main(void *argument)
{
	struct kmod_thread *thread = argument;

	store_release(&thread->tid, (pid_t)syscall(SYS_gettid));
	while ((thread->returned = exec_once(thread->table, thread->idle_milliseconds)) == -EINTR)
		add_sequential(&thread->interrupted, 1);
	return NULL;
}

static inline void enter_kmod(struct kmod_thread *thread, struct kmod_table *table)
{
	*thread = (struct kmod_thread){.table = table};
	CHECK_EQUAL(pthread_create(&thread->thread, NULL, kmod_thread_main, thread), 0);
	WAIT_UNTIL(load_acquire(&thread->tid) != 0);
}

static inline int left_kmod(struct kmod_thread *thread)
{
	CHECK_EQUAL(pthread_join(thread->thread, NULL), 0);
	return thread->returned;
}

/* A thread that leaves for good when SIGUSR1 takes it out of EXEC: see desert(). */
static inline void *deserter_main(void *argument)
{
	struct kmod_thread *thread = argument;

	store_release(&thread->tid, (pid_t)syscall(SYS_gettid));
	thread->returned = exec_once(thread->table, 0);
	return NULL;
}

static inline void do_nothing(int number)
{
	(void)number;
}

static inline void enter_deserter(struct kmod_thread *thread, struct kmod_table *table)
{
	const struct sigaction interrupts = {.sa_handler = do_nothing};

	CHECK_EQUAL(sigaction(SIGUSR1, &interrupts, NULL), 0);
	*thread = (struct kmod_thread){.table = table};
	CHECK_EQUAL(pthread_create(&thread->thread, NULL, deserter_main, thread), 0);
	WAIT_UNTIL(load_acquire(&thread->tid) != 0);
}

static inline void desert(struct kmod_thread *thread)
{
	CHECK_EQUAL(syscall(SYS_tgkill, getpid(), thread->tid, SIGUSR1), 0);
	CHECK_EQUAL(left_kmod(thread), -EINTR);
}

/* The thread's state in /proc, one letter: S asleep, T stopped, ... */
static inline char thread_state(pid_t thread)
{
	char line[256];
	const char *end;

	read_thread_file(thread, "stat", line, sizeof line);
	end = strrchr(line, ')');
	return end != NULL ? end[2] : '?';
}

/* The thread is in the kernel and waits: in a call, or for a doorbell. */
static inline void wait_until_asleep(pid_t thread)
{
	WAIT_UNTIL(thread_state(thread) == 'S');
}

/* The slot's call is being run, and waits. */
static inline void wait_until_blocked(struct kmod_table *table, uint32_t slot, pid_t thread)
{
	WAIT_UNTIL(state_of(table, slot) == SYSCALL_EXECUTING);
	wait_until_asleep(thread);
}

static inline void end_threads(struct kmod_table *table, uint32_t slot, uint32_t count)
{
	post(&table->own, slot, SYSCALL_END);
	for (uint32_t i = 0; i < count; i++)
		ring(table);
}

/* END in the given slot, which must be free; all threads must leave by it. */
static inline void end_and_free(struct kmod_table *table, uint32_t slot,
                                struct kmod_thread *threads, uint32_t count)
{
	end_threads(table, slot, count);
	for (uint32_t i = 0; i < count; i++)
		CHECK_EQUAL(left_kmod(&threads[i]), 0);
	free_kmod_table(table);
}

/* Runs a function in a child process; its exit status, or -signal. */
static inline int in_child(void (*function)(void *), void *argument)
{
	pid_t child = fork();
	int status;

	CHECK(child >= 0);
	if (child == 0) {
		function(argument);
		_exit(0);
	}
	CHECK_EQUAL(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

#endif /* KMOD_TABLE_H */
