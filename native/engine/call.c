/* SPDX-License-Identifier: MIT */
/*
 * call.c - what a coroutine awaits: one system call.
 *
 * A Call is its own iterator, as a future is. Nothing has happened before it is awaited, unless it
 * was answered inline: then the first step returns the answer. Otherwise the first step puts the
 * request into the table, and hands a future to the task. When the call has ended, the engine
 * writes the result into the Call, and wakes the task by its future. So what the kernel reads and
 * writes belongs to the Call, and the table has a reference to the Call until it is complete.
 *
 * An exception that is thrown in while the call is in the table (CancelledError) must not go on
 * before the call has settled. That is rare and has many cases, so it is Python's: Engine._settle()
 * is a coroutine, and from then on it gets what the Call is sent, until it returns.
 */
#include "engine.h"

#include <errno.h>
#include <linux/stat.h>
#include <string.h>
#include <unistd.h>

PyTypeObject *call_type;

static PyObject *name_set_result;
static PyObject *name_settle;
static PyObject *name_disown;
static PyObject *name_settled;
static PyObject *name_throw;
static PyObject *name_close;
static PyObject *name_result;

/* Kept for the next ones: an allocation less, and the collector doesn't count them. */
static struct call *kept[64];
static size_t kept_count;

struct call *call_new(struct engine *engine)
{
	struct call *call;

	if (kept_count != 0) {
		call = kept[--kept_count];
		PyObject_Init((PyObject *)call, call_type);
	} else {
		call = PyObject_GC_New(struct call, call_type);
	}
	if (call == NULL)
		return NULL;
	memset((char *)call + sizeof call->ob_base, 0, sizeof *call - sizeof call->ob_base);
	Py_INCREF((PyObject *)engine);
	call->engine = engine;
	call->slot = -1;
	return call;
}

bool call_allocate(struct call *call)
{
	call->memory = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)call->memory_size);
	if (call->memory == NULL)
		return false;
	call->words[call->memory_word] = (int64_t)(intptr_t)PyBytes_AsString(call->memory);
	return true;
}

static void release_buffer(struct call *call)
{
	if (call->has_buffer) {
		call->has_buffer = false;
		PyBuffer_Release(&call->buffer);
	}
}

/* Lets go of all that the kernel used. */
static void release_memory(struct call *call)
{
	release_buffer(call);
	Py_CLEAR(call->memory);
	Py_CLEAR(call->status);
	for (int i = 0; i < 2; i++) {
		Py_CLEAR(call->path[i]);
		Py_CLEAR(call->encoded[i]);
	}
	Py_CLEAR(call->keep);
	Py_CLEAR(call->discard);
}

/*
 * Undoes a call that ended, where nobody awaits its result. What can't be undone, as bytes that were
 * moved, goes with the exception: tell_late(). Never fails.
 */
static void undo(struct call *call)
{
	bool is_open = (call->result == RESULT_FILE || call->result == RESULT_CONTENT) &&
	               call->ret >= COMPOUND_OPENED;

	call->state = CALL_TAKEN;
	if (call->error != NULL)
		return;
	call->late = call->ret >= 0 && !call->returns_fd && !call->returns_fds &&
	             call->discard == NULL && !is_open;
	if (call->returns_fd && call->ret >= 0)
		close((int)call->ret);
	if (is_open)
		close((int)(call->ret - COMPOUND_OPENED));
	if (call->returns_fds && call->ret == 0)
		for (int i = 0; i < 2; i++)
			close(((int *)(void *)PyBytes_AsString(call->memory))[i]);
	if (call->discard != NULL) {
		PyObject *type;
		PyObject *value;
		PyObject *traceback;
		PyObject *result;

		/* In Python, with what goes wrong there told to the loop's exception handler. */
		PyErr_Fetch(&type, &value, &traceback);
		result = PyObject_CallMethod((PyObject *)call->engine, "_discard", "OLO", call->discard,
		                             (long long)call->ret, call->keep ? call->keep : Py_None);
		if (result == NULL)
			PyErr_WriteUnraisable(call->discard);
		Py_XDECREF(result);
		PyErr_Restore(type, value, traceback);
	}
}

void call_withdrawn(struct call *call)
{
	call->state = CALL_TAKEN;
	call->ret = call->done;
	call->late = call->done != 0;
}

/* How many bytes an inline answer has moved. */
static int64_t copied(const struct call *call)
{
	switch (call->way) {
	case INLINE_READ:
	case INLINE_PREAD:
	case INLINE_WRITE:
	case INLINE_PWRITE:
		return call->ret > 0 ? call->ret : 0;
	case INLINE_READ_FILE:
		return call->ret > 0 && call->ret < COMPOUND_OPENED ? call->ret : 0;
	default:
		return 0;
	}
}

static enum inline_answer try_read_file(struct call *call)
{
	struct statx status;

	if (!answer_read_file(call, &status))
		return ANSWER_NONE;
	if (call->result == RESULT_FILE && call->ret >= 0) {
		call->status = stat_result(&status);
		if (call->status == NULL) {
			PyErr_Clear();
			undo(call);
			call->state = CALL_NEW;
			Py_CLEAR(call->memory);
			return ANSWER_NONE;
		}
	}
	return ANSWER_READY;
}

enum inline_answer call_try(struct call *call)
{
	struct engine *engine = call->engine;
	enum inline_answer answer = ANSWER_NONE;
	int64_t ret = 0;

	/* A descriptor that isn't ready never holds an exec thread, with or without the fast path. */
	if (!engine->fast_path) {
		if (call->way == INLINE_READ || call->way == INLINE_WRITE)
			return may_block(call->words, call->way == INLINE_WRITE);
		return may_open_fifo(call->way, call->words) ? ANSWER_PLACE : ANSWER_NONE;
	}
	if (engine->table == NULL)
		return ANSWER_NONE;
	if (call->way == INLINE_READ_FILE) {
		answer = try_read_file(call);
	} else {
		answer = answer_inline(call->way, call->number, call->words, &call->done, &ret);
		call->ret = ret < 0 ? ret : ret + call->done;
	}
	if (answer == ANSWER_NONE && may_open_fifo(call->way, call->words))
		return ANSWER_PLACE;
	if (answer == ANSWER_READY) {
		call->state = CALL_ANSWERED;
		release_buffer(call);
		engine->answered_inline++;
		engine->budget -= 1 + (int32_t)(copied(call) / BUDGET_BYTES);
	}
	return answer;
}

void call_end(struct call *call, int64_t ret)
{
	call->slot = -1;
	call->state = CALL_ENDED;
	call->ret = ret;
	/* Part of it was there before: an error of the rest comes again with the next read. */
	if (call->done != 0)
		call->ret = ret < 0 ? call->done : call->done + ret;
	release_buffer(call);
}

int call_wake(struct call *call)
{
	PyObject *result;

	if (call->settling) {
		result = PyObject_CallMethodObjArgs((PyObject *)call->engine, name_settled, call, NULL);
	} else {
		result = PyObject_CallMethodObjArgs(call->future, name_set_result, Py_None, NULL);
		/* Cancelled: the exception is on its way to the coroutine, and will find the result here. */
		if (result == NULL && PyErr_ExceptionMatches(PyExc_Exception)) {
			PyErr_Clear();
			return 0;
		}
	}
	if (result == NULL)
		return -1;
	Py_DECREF(result);
	return 0;
}

static PyObject *raise_os_error(struct call *call)
{
	PyObject *first = call->path[0];
	PyObject *second = call->path[1];

	errno = (int)-call->ret;
	if (second != NULL)
		return PyErr_SetFromErrnoWithFilenameObjects(PyExc_OSError, first, second);
	if (first != NULL)
		return PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, first);
	return PyErr_SetFromErrno(PyExc_OSError);
}

static const struct statx *status_in(PyObject *memory)
{
	return (const struct statx *)(const void *)PyBytes_AsString(memory);
}

/* Of COMPOUND_READ_FILE. What was read inline is alone in its memory; else the status is before it. */
static PyObject *file_content(struct call *call)
{
	PyObject *content = call->memory;

	if (call->ret >= COMPOUND_OPENED)
		return PyLong_FromLongLong(call->ret - COMPOUND_OPENED);
	if (PyBytes_Size(content) == call->memory_size)
		return PyBytes_FromStringAndSize(PyBytes_AsString(content) + sizeof(struct statx),
		                                 (Py_ssize_t)call->ret);
	call->memory = NULL;
	return content;
}

static PyObject *file(struct call *call)
{
	PyObject *result = PyTuple_New(2);
	PyObject *status = call->status;
	PyObject *content;

	call->status = NULL;
	if (status == NULL)
		status = stat_result(status_in(call->memory));
	content = status != NULL ? file_content(call) : NULL;
	if (result != NULL && content != NULL) {
		PyTuple_SetItem(result, 0, status);
		PyTuple_SetItem(result, 1, content);
		return result;
	}
	Py_XDECREF(status);
	Py_XDECREF(content);
	Py_XDECREF(result);
	if (call->ret >= COMPOUND_OPENED)
		close((int)(call->ret - COMPOUND_OPENED));
	return NULL;
}

/* The end of the await: its value, or NULL with the exception. */
static PyObject *take_result(struct call *call)
{
	PyObject *result = NULL;

	call->state = CALL_TAKEN;
	if (call->error != NULL) {
		PyErr_SetObject((PyObject *)Py_TYPE(call->error), call->error);
	} else if (call->result == RESULT_RAW) {
		result = PyLong_FromLongLong(call->ret);
	} else if (call->ret < 0) {
		raise_os_error(call);
	} else {
		switch (call->result) {
		case RESULT_RAW:
		case RESULT_INT:
			result = PyLong_FromLongLong(call->ret);
			break;
		case RESULT_NONE:
			result = Py_NewRef(Py_None);
			break;
		case RESULT_STRUCT:
			result = call->memory;
			call->memory = NULL;
			break;
		case RESULT_STAT:
			result = stat_result(status_in(call->memory));
			break;
		case RESULT_CONTENT:
			result = file_content(call);
			break;
		case RESULT_FILE:
			result = file(call);
			break;
		case RESULT_BYTES:
			/* Cutting bytes off in place isn't in the stable ABI. */
			if (call->ret != PyBytes_Size(call->memory)) {
				result = PyBytes_FromStringAndSize(PyBytes_AsString(call->memory),
				                                   (Py_ssize_t)call->ret);
			} else {
				result = call->memory;
				call->memory = NULL;
			}
			break;
		}
	}
	release_memory(call);
	return result;
}

/* The first step. */
static PySendResult start(struct call *call, PyObject **value)
{
	if (call->state == CALL_ANSWERED) {
		/* A read or write at the file's own position gave way before it was made: operation.c. */
		if (call->engine->budget <= 0 && call->way != INLINE_READ && call->way != INLINE_WRITE) {
			if (!call->yielded) {
				call->yielded = true;
				*value = Py_NewRef(Py_None);
				return PYGEN_NEXT;
			}
			call->engine->budget = INLINE_BUDGET;
		}
		*value = take_result(call);
		return *value == NULL ? PYGEN_ERROR : PYGEN_RETURN;
	}
	if (engine_submit(call->engine, call) < 0) {
		call->state = CALL_TAKEN;
		release_memory(call);
		return PYGEN_ERROR;
	}
	*value = Py_NewRef(call->future);
	return PYGEN_NEXT;
}

/* The exception goes on, and what the call returned with it: exception.result. */
static void tell_late(struct call *call, PyObject *exception)
{
	PyObject *result;

	if (!call->late)
		return;
	call->late = false;
	result = take_result(call);
	if (result == NULL || PyObject_SetAttr(exception, name_result, result) < 0)
		PyErr_WriteUnraisable((PyObject *)call);
	Py_XDECREF(result);
}

/* The call has settled, and the exception that began it goes on. */
static PySendResult raise_cancelled(struct call *call)
{
	PyObject *exception = call->cancelled;

	call->cancelled = NULL;
	Py_CLEAR(call->delegate);
	tell_late(call, exception);
	release_memory(call);
	PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
	Py_DECREF(exception);
	return PYGEN_ERROR;
}

static PySendResult pass_on(struct call *call, PySendResult status, PyObject **value)
{
	if (status != PYGEN_RETURN)
		return status;
	Py_CLEAR(*value);
	return raise_cancelled(call);
}

static PySendResult call_send(PyObject *self, PyObject *argument, PyObject **value)
{
	struct call *call = (struct call *)self;

	*value = NULL;
	if (call->delegate != NULL)
		return pass_on(call, PyIter_Send(call->delegate, argument, value), value);
	switch (call->state) {
	case CALL_NEW:
	case CALL_ANSWERED:
		return start(call, value);
	case CALL_ENDED:
		*value = take_result(call);
		return *value == NULL ? PYGEN_ERROR : PYGEN_RETURN;
	case CALL_TAKEN:
		PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited system call");
		return PYGEN_ERROR;
	case CALL_QUEUED:
	case CALL_SUBMITTED:
		break;
	}
	PyErr_SetString(PyExc_RuntimeError, "await wasn't used with future");
	return PYGEN_ERROR;
}

static PyObject *as_iterator(PySendResult status, PyObject *value)
{
	if (status == PYGEN_NEXT)
		return value;
	if (status == PYGEN_RETURN) {
		if (value == Py_None) {
			PyErr_SetNone(PyExc_StopIteration);
		} else {
			PyObject *stop = PyObject_CallFunctionObjArgs(PyExc_StopIteration, value, NULL);

			if (stop != NULL) {
				PyErr_SetObject(PyExc_StopIteration, stop);
				Py_DECREF(stop);
			}
		}
		Py_DECREF(value);
	}
	return NULL;
}

static PyObject *call_next(PyObject *self)
{
	PyObject *value;
	PySendResult status = call_send(self, Py_None, &value);

	return as_iterator(status, value);
}

static PyObject *call_send_method(PyObject *self, PyObject *argument)
{
	PyObject *value;
	PySendResult status = call_send(self, argument, &value);

	return as_iterator(status, value);
}

/* The exception that throw() was given in one of its three forms, as one object. */
static PyObject *thrown(PyObject *type, PyObject *value, PyObject *traceback)
{
	PyObject *exception;

	if (PyExceptionInstance_Check(type))
		return Py_NewRef(type);
	PyErr_SetObject(type, value);
	PyErr_Fetch(&type, &exception, &traceback);
	PyErr_NormalizeException(&type, &exception, &traceback);
	Py_XDECREF(type);
	Py_XDECREF(traceback);
	return exception;
}

static PyObject *call_throw(PyObject *self, PyObject *arguments)
{
	struct call *call = (struct call *)self;
	PyObject *type;
	PyObject *value = NULL;
	PyObject *traceback = NULL;
	PyObject *result = NULL;
	PySendResult status;

	if (!PyArg_ParseTuple(arguments, "O|OO:throw", &type, &value, &traceback))
		return NULL;
	if (call->delegate != NULL) {
		/* Cancelled again: the delegate knows. */
		PyObject *method = PyObject_GetAttr(call->delegate, name_throw);

		if (method == NULL)
			return NULL;
		result = PyObject_Call(method, arguments, NULL);
		Py_DECREF(method);
		if (result != NULL)
			return result;
		if (!PyErr_ExceptionMatches(PyExc_StopIteration))
			return NULL;
		PyErr_Clear();
		raise_cancelled(call);
		return NULL;
	}
	if (call->state != CALL_QUEUED && call->state != CALL_SUBMITTED && call->state != CALL_ENDED) {
		PyObject *exception = thrown(type, value, traceback);

		if (call->state == CALL_ANSWERED)
			undo(call); /* thrown in while the coroutine gave way */
		call->state = CALL_TAKEN;
		if (exception != NULL)
			tell_late(call, exception);
		release_memory(call);
		if (exception != NULL) {
			PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
			Py_DECREF(exception);
		}
		return NULL;
	}
	call->cancelled = thrown(type, value, traceback);
	if (call->cancelled == NULL)
		return NULL;
	call->delegate = PyObject_CallMethodObjArgs((PyObject *)call->engine, name_settle, self, NULL);
	if (call->delegate == NULL)
		return NULL;
	value = NULL;
	status = pass_on(call, PyIter_Send(call->delegate, Py_None, &value), &value);
	return as_iterator(status, value);
}

static PyObject *call_close(PyObject *self, PyObject *Py_UNUSED(ignored))
{
	struct call *call = (struct call *)self;
	PyObject *result;

	if (call->delegate != NULL) {
		result = PyObject_CallMethodObjArgs(call->delegate, name_close, NULL);
		if (result == NULL)
			return NULL;
		Py_DECREF(result);
	}
	if (call->state == CALL_ENDED || call->state == CALL_ANSWERED) {
		undo(call);
	} else if (call->state == CALL_QUEUED || call->state == CALL_SUBMITTED) {
		call->settling = true;
		return PyObject_CallMethodObjArgs((PyObject *)call->engine, name_disown, self, NULL);
	}
	call->state = CALL_TAKEN;
	release_memory(call);
	Py_RETURN_NONE;
}

static PyObject *call_iter(PyObject *self)
{
	return Py_NewRef(self);
}

/* What Engine's Python needs. */

static PyObject *call_undo(PyObject *self, PyObject *Py_UNUSED(ignored))
{
	struct call *call = (struct call *)self;

	if (call->state == CALL_ENDED)
		undo(call);
	if (!call->late || call->cancelled == NULL) /* else it is told first */
		release_memory(call);
	Py_RETURN_NONE;
}

/* An exception ends a call that isn't in the table, though a part of it may have been done. */
static PyObject *call_leave(PyObject *self, PyObject *exception)
{
	struct call *call = (struct call *)self;

	call_withdrawn(call);
	tell_late(call, exception);
	release_memory(call);
	Py_RETURN_NONE;
}

/*
 * 0: wait until it is ready; 1: await it; 2: write PIPE_BUF bytes of it. Who tries again has given way
 * to the rest of the loop.
 */
static PyObject *call_retry(PyObject *self, PyObject *Py_UNUSED(ignored))
{
	enum inline_answer answer;

	((struct call *)self)->engine->budget = INLINE_BUDGET;
	answer = call_try((struct call *)self);

	return PyLong_FromLong(answer == ANSWER_WAIT ? 0 : answer == ANSWER_PIECE ? 2 : 1);
}

static PyObject *call_advance(PyObject *self, PyObject *argument)
{
	struct call *call = (struct call *)self;
	long long count = PyLong_AsLongLong(argument);

	if (count == -1 && PyErr_Occurred())
		return NULL;
	if (count > 0) {
		call->done += count;
		call->words[1] += count;
		call->words[2] -= count;
		if (call->words[2] != 0)
			Py_RETURN_FALSE;
	}
	call->state = CALL_ANSWERED;
	call->ret = call->done != 0 ? call->done : count;
	Py_RETURN_TRUE;
}

/* It was made in another way, and returned this. */
static PyObject *call_answer(PyObject *self, PyObject *argument)
{
	struct call *call = (struct call *)self;
	long long ret = PyLong_AsLongLong(argument);

	if (ret == -1 && PyErr_Occurred())
		return NULL;
	call->state = CALL_ANSWERED;
	call->ret = ret;
	Py_RETURN_NONE;
}

static PyObject *call_get_words(PyObject *self, void *Py_UNUSED(closure))
{
	const int64_t *words = ((struct call *)self)->words;

	return Py_BuildValue("(LLLLLL)", (long long)words[0], (long long)words[1], (long long)words[2],
	                     (long long)words[3], (long long)words[4], (long long)words[5]);
}

static PyObject *call_get_number(PyObject *self, void *Py_UNUSED(closure))
{
	return PyLong_FromUnsignedLong(((struct call *)self)->number);
}

static PyObject *call_get_writes(PyObject *self, void *Py_UNUSED(closure))
{
	return PyBool_FromLong(((struct call *)self)->way == INLINE_WRITE);
}

static PyObject *call_fail(PyObject *self, PyObject *exception)
{
	struct call *call = (struct call *)self;

	if (call->done == 0)
		call->error = Py_NewRef(exception);
	call_end(call, -ECANCELED);
	if (call_wake(call) < 0)
		return NULL;
	Py_RETURN_NONE;
}

static PyObject *call_get_state(PyObject *self, void *Py_UNUSED(closure))
{
	static const char *const names[] = {"new", "answered", "queued", "submitted", "ended", "taken"};

	return PyUnicode_FromString(names[((struct call *)self)->state]);
}

static PyObject *call_get_slot(PyObject *self, void *Py_UNUSED(closure))
{
	return PyLong_FromLong(((struct call *)self)->slot);
}

static PyObject *call_get_must_run(PyObject *self, void *Py_UNUSED(closure))
{
	return PyBool_FromLong(((struct call *)self)->must_run);
}

static PyObject *call_get_future(PyObject *self, void *Py_UNUSED(closure))
{
	PyObject *future = ((struct call *)self)->future;

	return Py_NewRef(future != NULL ? future : Py_None);
}

static int call_set_settling(PyObject *self, PyObject *value, void *Py_UNUSED(closure))
{
	((struct call *)self)->settling = value == Py_True;
	return 0;
}

static int call_traverse(PyObject *self, visitproc visit, void *arg)
{
	struct call *call = (struct call *)self;

	Py_VISIT(Py_TYPE(self));
	Py_VISIT((PyObject *)call->engine);
	Py_VISIT(call->future);
	Py_VISIT(call->keep);
	Py_VISIT(call->discard);
	Py_VISIT(call->error);
	Py_VISIT(call->delegate);
	Py_VISIT(call->cancelled);
	for (int i = 0; i < 2; i++)
		Py_VISIT(call->path[i]);
	if (call->has_buffer)
		Py_VISIT(call->buffer.obj);
	return 0;
}

/* The table holds a reference, so a Call that goes has left the table; else it stays. */
static int call_clear(PyObject *self)
{
	struct call *call = (struct call *)self;

	if (call->slot >= 0)
		return 0;
	if (call->state == CALL_ENDED || call->state == CALL_ANSWERED)
		undo(call);
	release_memory(call);
	Py_CLEAR(call->future);
	Py_CLEAR(call->error);
	Py_CLEAR(call->delegate);
	Py_CLEAR(call->cancelled);
	return 0;
}

static void call_dealloc(PyObject *self)
{
	PyTypeObject *type = Py_TYPE(self);

	PyObject_GC_UnTrack(self);
	call_clear(self);
	Py_CLEAR(((struct call *)self)->engine);
	if (kept_count < sizeof kept / sizeof kept[0])
		kept[kept_count++] = (struct call *)self;
	else
		PyObject_GC_Del(self);
	Py_DECREF(type);
}

static PyMethodDef call_methods[] = {
    {"send", call_send_method, METH_O, NULL},
    {"throw", call_throw, METH_VARARGS, NULL},
    {"close", call_close, METH_NOARGS, NULL},
    {"undo", call_undo, METH_NOARGS, "Undo a call that ended: nobody learns of its result."},
    {"retry", call_retry, METH_NOARGS,
	 "Try again a call that had to wait: 0 wait again, 1 await it, 2 write a piece."},
    {"advance", call_advance, METH_O, "A piece was written, or -errno. True: await the call now."},
    {"answer", call_answer, METH_O, "It was made in another way, with this result: await it now."},
    {"leave", call_leave, METH_O,
	 "Give up a call that isn't in the table; the exception gets what was done of it."},
    {"fail", call_fail, METH_O, "End a call that isn't in the table with an exception."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef call_attributes[] = {
    {"state", call_get_state, NULL, NULL, NULL},
    {"words", call_get_words, NULL, NULL, NULL},
    {"number", call_get_number, NULL, NULL, NULL},
    {"writes", call_get_writes, NULL, NULL, NULL},
    {"slot", call_get_slot, NULL, NULL, NULL},
    {"must_run", call_get_must_run, NULL, NULL, NULL},
    {"future", call_get_future, NULL, NULL, NULL},
    {"settling", NULL, call_set_settling, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot call_slots[] = {
    {Py_tp_doc, "One system call: await it."},
    {Py_tp_dealloc, call_dealloc},
    {Py_tp_traverse, call_traverse},
    {Py_tp_clear, call_clear},
    {Py_tp_iter, call_iter},
    {Py_tp_iternext, call_next},
    {Py_am_await, call_iter},
    {Py_am_send, call_send},
    {Py_tp_methods, call_methods},
    {Py_tp_getset, call_attributes},
    {0, NULL},
};

static PyType_Spec call_spec = {
    .name = "_asyncsys_engine.Call",
    .basicsize = sizeof(struct call),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
	         Py_TPFLAGS_IMMUTABLETYPE,
    .slots = call_slots,
};

int call_init(PyObject *module)
{
	name_set_result = PyUnicode_InternFromString("set_result");
	name_settle = PyUnicode_InternFromString("_settle");
	name_disown = PyUnicode_InternFromString("_disown");
	name_settled = PyUnicode_InternFromString("_settled");
	name_throw = PyUnicode_InternFromString("throw");
	name_close = PyUnicode_InternFromString("close");
	name_result = PyUnicode_InternFromString("result");
	call_type = (PyTypeObject *)PyType_FromSpec(&call_spec);
	if (call_type == NULL || name_close == NULL)
		return -1;
	return PyModule_AddObjectRef(module, "Call", (PyObject *)call_type);
}
