/* SPDX-License-Identifier: MIT */
/*
 * engine.h - the hot path of the engine, against CPython's stable C API.
 *
 * An await of a system call passes through four things, one file each:
 *
 *   operation.c   what is declared once per call. Converts Python's arguments; makes a Call.
 *   inline.c      answers the call at once, where that can't block.
 *   call.c        Call: what a coroutine awaits. It holds the request and what must stay alive.
 *   engine.c      EngineBase: puts Calls into the table, and takes what is complete out of it.
 *
 * All that isn't hot is Python's, which derives Engine from EngineBase: cancellation, the end of a
 * loop, unusual arguments (_engine.py, _operation.py). cffi stays the binding for everything else.
 *
 * There are no locks: these objects belong to the thread of one loop, and hold the GIL.
 */
#ifndef ENGINE_H
#define ENGINE_H

#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030B0000
#endif
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

#include "../compound.h"
#include "../table.h"

struct engine;
struct operation;
struct statx;

/* The ways to answer without the table. inline.c */
enum inline_way {
	INLINE_NOT,
	INLINE_NEVER_BLOCKS, /* any call that answers from memory */
	INLINE_READ,         /* fd, buffer, length */
	INLINE_PREAD,        /* fd, buffer, length, offset */
	INLINE_WRITE,        /* fd, buffer, length */
	INLINE_PWRITE,       /* fd, buffer, length, offset */
	INLINE_OPENAT,       /* dir_fd, path, flags, mode */
	INLINE_STATX,        /* dir_fd, path, flags, mask, struct */
	INLINE_CLOSE,        /* fd */
	INLINE_OPENAT2,      /* dir_fd, path, struct open_how, its size */
	INLINE_READ_FILE,    /* COMPOUND_READ_FILE */
};

/* What an await gives. */
enum result {
	RESULT_RAW,     /* what the kernel returns, or -errno: nothing is raised */
	RESULT_INT,     /* what the kernel returns */
	RESULT_NONE,    /* None */
	RESULT_BYTES,   /* the memory, as much of it as the kernel says */
	RESULT_STRUCT,  /* the memory as a whole */
	RESULT_STAT,    /* the memory is a struct statx: an os.stat_result */
	RESULT_CONTENT, /* of COMPOUND_READ_FILE: bytes, or an open descriptor */
	RESULT_FILE,    /* likewise, behind its os.stat_result: a tuple */
};

enum call_state {
	CALL_NEW,       /* nobody has awaited it: nothing has happened */
	CALL_ANSWERED,  /* answered inline */
	CALL_QUEUED,    /* waits for a free slot */
	CALL_SUBMITTED, /* in the table */
	CALL_ENDED,     /* its result is here, and nobody has it yet */
	CALL_TAKEN,     /* its result was given to who awaits it, or undone */
};

struct call {
	PyObject ob_base;
	struct engine *engine;
	enum call_state state;
	enum result result;
	enum inline_way way;
	bool must_run;    /* a cancelled caller only waits for it */
	bool returns_fd;  /* what it returns is closed where nobody learns of it */
	bool returns_fds; /* likewise two of them, in the memory */
	bool yielded;     /* the coroutine has given way once */
	bool has_buffer;
	bool settling; /* somebody waits for its end, not for its result */
	bool late;     /* it ended with a result that wasn't undone, when its caller was cancelled */
	int32_t slot;  /* -1 where it has none */
	uint32_t number;
	int64_t words[6];
	int64_t ret;
	int64_t done; /* bytes that were read inline before the rest went into the table */
	PyObject *future;
	PyObject *memory; /* bytes that the kernel fills */
	PyObject *status; /* RESULT_FILE, answered inline: an os.stat_result */
	int memory_word;  /* which word is its address */
	int64_t memory_size;
	PyObject *path[2];    /* as an OSError shows them; where encoded is NULL, the memory too */
	PyObject *encoded[2]; /* as the kernel reads them */
	Py_buffer buffer;     /* the caller's */
	PyObject *keep;       /* RAW: anything */
	PyObject *discard;    /* RAW: called with result and keep where nobody learns of the result */
	PyObject *error;      /* raised instead of a result */
	PyObject *delegate;   /* the coroutine that settles a cancelled call */
	PyObject *cancelled;  /* the exception that is raised when it has settled */
	struct call *previous;
	struct call *next; /* in the queue, or among those that have ended */
};

struct engine {
	PyObject ob_base;
	struct async_syscall_table *table;
	uint32_t slots;
	struct call **calls; /* by slot */
	struct call *queue_head;
	struct call *queue_tail;
	struct call *ended_head; /* out of the table, not yet woken */
	struct call *ended_tail;
	bool looks_again; /* the executor was told that nobody need write the eventfd */
	int64_t *reaped;
	bool fast_path;
	bool ring_scheduled;
	bool look_scheduled;
	int32_t budget; /* inline answers until a coroutine has to give way */
	uint64_t queued;
	uint64_t answered_inline;
	uint64_t wakeups;
	PyObject *loop;
	PyObject *create_future;
	PyObject *call_soon;
	PyObject *ring; /* self._ring */
	PyObject *look; /* self._look */
	PyObject *weakrefs;
};

/*
 * Calls that are woken in one tick, so that thousands don't hold up the rest of the loop. It is also
 * what keeps Python's collector quiet: each wake-up makes an object, 700 at a time start a collection,
 * and every hundredth of those looks at all the tasks that there are.
 */
#define WOKEN_AT_ONCE 250

/*
 * Inline answers until whoever gets them gives way to the rest of the loop: about 100 µs. Each
 * counts for one, and one more for each BUDGET_BYTES that it copied.
 */
#define INLINE_BUDGET 64
#define BUDGET_BYTES 16384

enum inline_answer {
	ANSWER_NONE,  /* the table must do it */
	ANSWER_READY, /* *ret is the result */
	ANSWER_WAIT,  /* the descriptor isn't ready, and can be waited for */
	ANSWER_PIECE, /* it is ready for PIPE_BUF bytes; more might block */
	ANSWER_PLACE, /* it may block for long: it opens a FIFO, or what can't be looked at here */
};

enum inline_answer answer_inline(enum inline_way way, uint32_t number, int64_t words[6],
                                 int64_t *done, int64_t *ret);
/* INLINE_READ_FILE, which makes the memory for the content itself: true with call->ret. */
bool answer_read_file(struct call *call, struct statx *status);
/* For a read or write of a descriptor that can be waited for: WAIT or PIECE where it could block. */
enum inline_answer may_block(const int64_t words[6], bool writing);
/* Whether an open may wait for the other end of a FIFO. What isn't cached may be one. */
bool may_open_fifo(enum inline_way way, const int64_t words[6]);
bool is_fifo(int fd);
int inline_init(void);

/* call.c */
extern PyTypeObject *call_type;
struct call *call_new(struct engine *engine);
/* Makes the memory that the kernel fills, of memory_size bytes. */
bool call_allocate(struct call *call);
/* Answers inline, if that can be: the state is then CALL_ANSWERED. ANSWER_WAIT: not before it is ready;
 * ANSWER_PLACE: not with the last exec threads. */
enum inline_answer call_try(struct call *call);
/* The call has ended. */
void call_end(struct call *call, int64_t ret);
/* The call never ran, or never will again: what it moved before is its result. */
void call_withdrawn(struct call *call);
/* Wakes who awaits a call that has ended. Returns 0, or -1 with an exception. */
int call_wake(struct call *call);
int call_init(PyObject *module);

/* engine.c */
extern PyTypeObject *engine_type;
extern _Thread_local struct engine *running_engine;
/* Writes the request into the table, or the queue. Returns 0, or -1 with an exception. */
int engine_submit(struct engine *engine, struct call *call);
/* The engine of the running loop, borrowed; NULL with an exception. */
struct engine *engine_running(void);
int engine_init(PyObject *module);

/* operation.c */
int operation_init(PyObject *module);

/* directory.c */
int directory_init(PyObject *module);

/* status.c */
PyObject *stat_result(const struct statx *status);
int status_init(PyObject *module);

#endif /* ENGINE_H */
