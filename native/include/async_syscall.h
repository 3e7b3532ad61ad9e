/* SPDX-License-Identifier: MIT OR GPL-2.0-only WITH Linux-syscall-note */
/*
 * async_syscall.h - the table of syscall_info slots, shared by a process and its executor.
 *
 * This header is the whole contract. The C library, the kernel module and the cffi binding all
 * read it; nothing in it is written down a second time anywhere.
 *
 * Theory of operation
 * -------------------
 * A process owns a table: some pages of its own, private memory. Its owner (one thread, the one
 * that runs the event loop) writes requests into slots. Exec threads run them. They meet in three
 * places, each of which is O(1):
 *
 *   info[]      the slots. `state` is the authority on who may touch what; see the table of
 *               transitions below, which is the only place where the state machine is written.
 *   pending[]   a ring of slot numbers. The owner appends at `pending_tail`; exec threads take from
 *               `pending_head` by compare-and-swap, and then claim the slot itself by a second
 *               compare-and-swap on its state. The ring is a hint: an entry whose slot is not in
 *               HASCALL (it was withdrawn) is passed over.
 *   completed   a stack of slot numbers, linked through next[]. Exec threads push, the owner takes
 *               all of it with one exchange. Only the push onto an empty stack writes the
 *               eventfd, so a burst of completions costs one write; and where the owner has left
 *               word that it will come back on its own (COMPLETED_POLLED), none at all. (The module
 *               writes it at the end of a long burst, or after 250 microseconds.)
 *
 * A slot number stands in pending[] at most once, so a ring of as many entries as slots never
 * overflows. (END may come on top, when there are no requests any more: see end() in table.c.) A
 * request that is withdrawn leaves its entry behind; when the slot is used again before that entry
 * was taken, the old entry serves the new request.
 *
 * Sleep and wake. An exec thread that finds the ring empty takes itself off `awake`, looks at the
 * ring once more, and waits for a token in `doorbell`. The owner publishes its requests, and then
 * looks at `awake`: while that is above zero somebody will find them, and no doorbell is rung. Each
 * side writes its own word before it reads the other's, all sequentially consistent, so one of the
 * two always sees the other (Dekker). Who rings counts the woken thread as awake at once, on its
 * behalf: a second doorbell for the same burst is never needed.
 *
 * A thread that is stuck in a call counts as awake though it is of no use. `awake` therefore
 * carries an epoch: who finds that nothing was claimed for a while starts a new epoch with a count
 * of zero, and a thread that comes back from its call to another epoch counts itself in again. All
 * of this decides only who is woken when, never who owns a slot.
 */
#ifndef ASYNC_SYSCALL_H
#define ASYNC_SYSCALL_H

#ifdef __KERNEL__
#include <linux/build_bug.h>
#include <linux/ioctl.h>
#include <linux/stddef.h>
#include <linux/types.h>
#else
#include <stddef.h>

#include <linux/ioctl.h>
#include <linux/types.h>
#endif

/*
 * The state machine: from, to, who, and what makes the step safe. Everything else that speaks of
 * it (the diagram in docs/architecture.md, the checked model in tests, the assertions of the C
 * library) is made from this table.
 */
#define ASYNC_SYSCALL_TRANSITIONS(TRANSITION)                                                      \
	TRANSITION(NONE, HASCALL, OWNER, "num and arg are written; sequentially consistent store")     \
	TRANSITION(HASCALL, EXECUTING, EXEC, "compare-and-swap; num and arg are then copied once")     \
	TRANSITION(HASCALL, NONE, OWNER, "compare-and-swap: the call is withdrawn, it never ran")      \
	TRANSITION(EXECUTING, COMPLETED, EXEC, "ret is written; release store")                        \
	TRANSITION(COMPLETED, NONE, OWNER, "ret is read")                                              \
	TRANSITION(NONE, END, OWNER, "exec threads finish the call they are in, and return")

/* cffi reads from here on, with the preprocessor run over it. */
enum async_syscall_state {
	SYSCALL_NONE = 0,      /* free, the owner's */
	SYSCALL_HASCALL = 1,   /* a request that nobody has claimed */
	SYSCALL_EXECUTING = 2, /* claimed: only the exec thread that claimed it may touch it */
	SYSCALL_COMPLETED = 3, /* ret is valid, the owner's */
	SYSCALL_END = 4,       /* exec threads return */
};

enum async_syscall_limits {
	ASYNC_SYSCALL_ABI_VERSION = 1,
	ASYNC_SYSCALL_MAX_SLOTS = 65536,
	ASYNC_SYSCALL_MAX_ARGUMENTS = 6,
	ASYNC_SYSCALL_CACHE_LINE = 64,
	/*
	 * Numbers from here on aren't system calls: a process gives them a meaning of its own (compound.c),
	 * and runs them itself. The kernel module hands them back.
	 */
	ASYNC_SYSCALL_COMPOUND = 0x40000000,
};

/* What stands in `completed` when no slot does. A slot number is below ASYNC_SYSCALL_MAX_SLOTS. */
enum async_syscall_completed {
	COMPLETED_ARMED = 0x7fffffff,  /* empty: the next push writes the eventfd */
	COMPLETED_POLLED = 0x7ffffffe, /* empty: the owner looks again by itself, don't write */
};

/* The parts of `awake`: a count, and the epoch above it. */
enum async_syscall_awake {
	AWAKE_COUNT = 0xffff,
	AWAKE_EPOCH_SHIFT = 16,
};

/* The values of `watching`: whether somebody comes by in a moment to see if requests are stuck. */
enum async_syscall_watching {
	WATCH_ASLEEP = 0,
	WATCH_AWAKE = 1,
	WATCH_STOPPED = 2,
};

/* One request: one cache line. (The kernel has another struct of the paper's name.) */
#ifdef __KERNEL__
struct async_syscall_info {
#else
struct syscall_info {
#endif
	__u32 state;  /* enum async_syscall_state */
	__u32 num;    /* number of the system call */
	__u64 arg[6]; /* its arguments; pointers are addresses in the owner's memory */
	__s64 ret;    /* its result, or -errno */
};

/* The control block stands at the first address of the table. A line has one kind of writer. */
struct async_syscall_control {
	/* Written once, by init. */
	__u32 abi_version;
	__u32 slots;    /* a power of two */
	__s32 event_fd; /* told about completions */
	__u32 reserved0[13];

	/* Written by the owner. */
	__u64 pending_tail;
	__u64 reserved1[7];

	/* Written by exec threads, for each request. */
	__u64 pending_head;
	__u64 reserved2[7];

	/* Pushed by exec threads, taken by the owner: enum async_syscall_completed, or a slot. */
	__u32 completed;
	__u32 reserved3[15];

	/* Written on the way to sleep and back. */
	__u32 awake;    /* epoch << 16 | exec threads that look for requests, or soon will */
	__u32 doorbell; /* tokens: each lets one sleeper go. The futex that sleepers wait on. */
	__u32 sleepers; /* exec threads that wait for a token */
	__u32 watching; /* enum async_syscall_watching */
	__u32 reserved4[12];

	/* Counters of the exec threads, added up on their way to sleep. */
	__u64 executed;      /* requests that ran */
	__u64 sleeps;        /* times an exec thread went to sleep */
	__u64 notifications; /* eventfd writes */
	__u64 reserved5[5];
};
/* cffi stops reading here. */

/*
 * The layout of a table of n slots: the control block, then four arrays.
 *
 *   __u32 pending[n]           the ring
 *   __u32 next[n]              links of the completed stack
 *   __u32 runner[n]            native executor only: the thread that runs the slot's call
 *   struct syscall_info info[n] at the next cache line
 */
#define ASYNC_SYSCALL_PENDING_OFFSET ((size_t)sizeof(struct async_syscall_control))
#define ASYNC_SYSCALL_NEXT_OFFSET(n) (ASYNC_SYSCALL_PENDING_OFFSET + (size_t)4 * (n))
#define ASYNC_SYSCALL_RUNNER_OFFSET(n) (ASYNC_SYSCALL_PENDING_OFFSET + (size_t)8 * (n))
#define ASYNC_SYSCALL_INFO_OFFSET(n)                                                               \
	((ASYNC_SYSCALL_PENDING_OFFSET + (size_t)12 * (n) + ASYNC_SYSCALL_CACHE_LINE - 1) &            \
	 ~(size_t)(ASYNC_SYSCALL_CACHE_LINE - 1))
#define ASYNC_SYSCALL_TABLE_BYTES(n)                                                               \
	(ASYNC_SYSCALL_INFO_OFFSET(n) + (size_t)ASYNC_SYSCALL_CACHE_LINE * (n))

#ifdef __KERNEL__
#define ASYNC_SYSCALL_ASSERT(expression) static_assert(expression)
#define ASYNC_SYSCALL_INFO struct async_syscall_info
#else
#define ASYNC_SYSCALL_ASSERT(expression) _Static_assert(expression, #expression)
#define ASYNC_SYSCALL_INFO struct syscall_info
#endif

ASYNC_SYSCALL_ASSERT(sizeof(ASYNC_SYSCALL_INFO) == ASYNC_SYSCALL_CACHE_LINE);
ASYNC_SYSCALL_ASSERT(offsetof(ASYNC_SYSCALL_INFO, state) == 0);
ASYNC_SYSCALL_ASSERT(offsetof(ASYNC_SYSCALL_INFO, num) == 4);
ASYNC_SYSCALL_ASSERT(offsetof(ASYNC_SYSCALL_INFO, arg) == 8);
ASYNC_SYSCALL_ASSERT(offsetof(ASYNC_SYSCALL_INFO, ret) == 56);

ASYNC_SYSCALL_ASSERT(sizeof(struct async_syscall_control) == 6 * ASYNC_SYSCALL_CACHE_LINE);
ASYNC_SYSCALL_ASSERT(offsetof(struct async_syscall_control, abi_version) == 0);
ASYNC_SYSCALL_ASSERT(offsetof(struct async_syscall_control, slots) == 4);
ASYNC_SYSCALL_ASSERT(offsetof(struct async_syscall_control, event_fd) == 8);
ASYNC_SYSCALL_ASSERT(offsetof(struct async_syscall_control, pending_tail) == 64);
ASYNC_SYSCALL_ASSERT(offsetof(struct async_syscall_control, pending_head) == 128);
ASYNC_SYSCALL_ASSERT(offsetof(struct async_syscall_control, completed) == 192);
ASYNC_SYSCALL_ASSERT(offsetof(struct async_syscall_control, awake) == 256);
ASYNC_SYSCALL_ASSERT(offsetof(struct async_syscall_control, doorbell) == 260);
ASYNC_SYSCALL_ASSERT(offsetof(struct async_syscall_control, sleepers) == 264);
ASYNC_SYSCALL_ASSERT(offsetof(struct async_syscall_control, watching) == 268);
ASYNC_SYSCALL_ASSERT(offsetof(struct async_syscall_control, executed) == 320);
ASYNC_SYSCALL_ASSERT(offsetof(struct async_syscall_control, sleeps) == 328);
ASYNC_SYSCALL_ASSERT(offsetof(struct async_syscall_control, notifications) == 336);

/*
 * The kernel module: /dev/async_syscall
 * -------------------------------------
 * The same table, served from inside the kernel. One open file serves one table. Its exec threads
 * are threads of the process that sit in ASYNC_SYSCALL_EXEC; a request then costs no kernel entry
 * at all. The module reaches the table by its address, as read(2) reaches a buffer: nothing is
 * pinned, nothing is mapped, and memory that goes away is EFAULT.
 *
 * The module believes nothing that stands in the table. Sizes and addresses are those of
 * ASYNC_SYSCALL_INIT; indices are masked; number and arguments are copied once, after the claim.
 * Who scribbles over a table that is being served gets undefined results, in the own process.
 *
 * After ASYNC_SYSCALL_INIT every request takes the memory of the task that called it, and EXEC its
 * credentials too: EPERM for others, such as a forked child. 32-bit callers get ENOTTY. Whoever maps
 * the same memory posts calls that run as the owner of the table: so it should be private.
 */
#define ASYNC_SYSCALL_DEVICE "/dev/async_syscall"
#define ASYNC_SYSCALL_IOCTL_TYPE 0xD5

/*
 * Gives the open file its table, which the caller has laid out. Once; EBUSY the second time.
 *
 *   EPROTONOSUPPORT  another ABI: abi_version then holds the module's own
 *   EINVAL           not aligned to a cache line, slots not a power of two or too many, flags or
 *                    reserved fields that aren't zero, event_fd not an eventfd
 *   EBADF            event_fd isn't open
 *   EFAULT           the table isn't in user memory
 *   EPERM            the task's system calls are watched (seccomp, tracing, audit, user dispatch)
 *   EUSERS           the user has max_tables tables
 */
struct async_syscall_init {
	__u32 abi_version;
	__u32 flags;
	__u64 address;
	__u32 slots;
	__s32 event_fd;
	__u64 reserved[5];
};

/*
 * A thread enters, and runs requests until it sees END. It sleeps while there are none, and is
 * entered again by itself after signals without a handler (SA_RESTART), stops and freezes.
 *
 *   0                the thread has seen END. It interrupts what is still in flight.
 *   n > 0            slot n - 1 is claimed, and its call isn't one that the module runs: it stands
 *                    not on the list (`kernel` in native/syscalls.tbl), or the task has come to be
 *                    watched. The thread runs it by syscall(2), completes the slot, and returns.
 *   EINTR            a signal handler ran. A call that it interrupted goes on when a thread comes.
 *   ETIME            idle_milliseconds without a request (0: no limit)
 *   EFAULT           the table isn't there, or not writable
 *   EPERM            see above; also checked before each entry. A call that was interrupted, by the
 *                    signal in whose handler the credentials changed, say, comes back first (n > 0),
 *                    and begins anew: a relative nanosleep(2) sleeps its whole time again.
 *   ENXIO            no ASYNC_SYSCALL_INIT yet
 *   EAGAIN           the table has max_threads exec threads. A thread that goes out, for a signal or
 *                    for what it owes (limits of cgroups, say), has its place again only if it's free.
 *   ENOMEM           no memory for one more
 *   EINVAL           flags or reserved fields that aren't zero
 *
 * A thread that goes out, for a signal or a stop say, counts itself out of `awake` and rings for
 * nobody. Requests that it leaves in the ring wait until it is back, or until the owner comes to
 * see that none is claimed: the library's watch does (pool.c), others have to do it by themselves.
 */
struct async_syscall_exec {
	__u32 flags;
	__u32 idle_milliseconds;
	__u64 reserved[3];
};

/*
 * Interrupts the call in a slot that is EXECUTING, which completes with ECANCELED where the call
 * could be interrupted, else with its result. EAGAIN: no thread of the module runs that slot at the
 * moment. EINVAL: no such slot, or flags. (The owner withdraws a request that nobody has claimed, HASCALL to NONE, by itself.)
 */
struct async_syscall_cancel {
	__u32 flags;
	__u32 slot;
};

/*
 * Keeps an eye on the requests, so that the process needn't come for that: looks at the ring again
 * and again, and returns 0 at the first look that finds one of these:
 *
 *   nothing was submitted since the look before
 *   a request of the look before is still unclaimed; and none was claimed since, or fewer than
 *   `busy` exec threads are runnable
 *   `watching` isn't WATCH_AWAKE
 *
 * head and tail are where the ring stood at the look before. EINTR: a signal came. EINVAL:
 * microseconds is 0.
 */
struct async_syscall_watch {
	__u32 flags;
	__u32 microseconds; /* from look to look */
	__u32 busy;
	__u32 reserved;
	__u64 head;
	__u64 tail;
};

/* What happened to the table, since ASYNC_SYSCALL_INIT. */
struct async_syscall_counters {
	__u64 executed;      /* calls that ran */
	__u64 passes;        /* times that the ring was worked off until it was empty */
	__u64 sleeps;        /* times that an exec thread went to sleep */
	__u64 doorbells;     /* ASYNC_SYSCALL_DOORBELL */
	__u64 notifications; /* times that the eventfd was signalled */
	__u64 refused;       /* requests that the thread had to run by itself */
	__u64 cancelled;     /* calls that ASYNC_SYSCALL_CANCEL or END interrupted */
	__u64 reserved;
};

#define ASYNC_SYSCALL_INIT _IOWR(ASYNC_SYSCALL_IOCTL_TYPE, 0, struct async_syscall_init)
#define ASYNC_SYSCALL_EXEC _IOW(ASYNC_SYSCALL_IOCTL_TYPE, 1, struct async_syscall_exec)
/*
 * Wakes one sleeping exec thread. The token in `doorbell` is put there before, by who rings. Where END
 * is what comes next in the ring, it also interrupts the calls that run. EFAULT: the table isn't there.
 */
#define ASYNC_SYSCALL_DOORBELL _IO(ASYNC_SYSCALL_IOCTL_TYPE, 2)
#define ASYNC_SYSCALL_CANCEL _IOW(ASYNC_SYSCALL_IOCTL_TYPE, 3, struct async_syscall_cancel)
#define ASYNC_SYSCALL_WATCH _IOWR(ASYNC_SYSCALL_IOCTL_TYPE, 5, struct async_syscall_watch)
#define ASYNC_SYSCALL_COUNTERS _IOR(ASYNC_SYSCALL_IOCTL_TYPE, 4, struct async_syscall_counters)

ASYNC_SYSCALL_ASSERT(sizeof(struct async_syscall_init) == 64);
ASYNC_SYSCALL_ASSERT(offsetof(struct async_syscall_init, address) == 8);
ASYNC_SYSCALL_ASSERT(offsetof(struct async_syscall_init, slots) == 16);
ASYNC_SYSCALL_ASSERT(offsetof(struct async_syscall_init, event_fd) == 20);
ASYNC_SYSCALL_ASSERT(sizeof(struct async_syscall_exec) == 32);
ASYNC_SYSCALL_ASSERT(sizeof(struct async_syscall_cancel) == 8);
ASYNC_SYSCALL_ASSERT(sizeof(struct async_syscall_watch) == 32);
ASYNC_SYSCALL_ASSERT(sizeof(struct async_syscall_counters) == 64);

#endif /* ASYNC_SYSCALL_H */
