/* SPDX-License-Identifier: MIT */
/*
 * engine.c - EngineBase: Calls go into the table, and come out of it.
 *
 * calls[slot] is the one record of what is in the table. It is set when a request is written and
 * cleared when its result is taken, and it is a reference: memory that the kernel may touch lives as
 * long as the kernel may touch it. Who finds the table full waits in a queue, first come, first
 * served.
 *
 * The first request of a tick wakes an exec thread if none is awake, and schedules self._ring(),
 * which sees to all of them at the end of the tick. The first completion makes an eventfd readable,
 * and the loop calls _on_notified(). That takes all that is complete out of the table, and wakes some
 * hundred callers in each tick. As long as there is something, it looks again by itself: meanwhile
 * the executor writes no eventfd.
 */
#include "engine.h"

#include <errno.h>
#include <structmember.h>
#include <sys/eventfd.h>

PyTypeObject *engine_type;
_Thread_local struct engine *running_engine;

static PyObject *look_up_engine; /* _attach's, for a loop that isn't ours */
static PyObject *name_blocking;  /* "_asyncio_future_blocking": the task may wait for it */
static PyObject *name_unusable;

static int unusable(struct engine *engine)
{
	PyObject *error = PyObject_CallMethodObjArgs((PyObject *)engine, name_unusable, NULL);

	if (error != NULL) {
		PyErr_SetObject((PyObject *)Py_TYPE(error), error);
		Py_DECREF(error);
	}
	return -1;
}

static int schedule_ring(struct engine *engine)
{
	PyObject *handle = PyObject_CallFunctionObjArgs(engine->call_soon, engine->ring, NULL);

	if (handle == NULL)
		return -1;
	Py_DECREF(handle);
	engine->ring_scheduled = true;
	return 0;
}

static void append(struct engine *engine, struct call *call)
{
	call->state = CALL_QUEUED;
	if (call->done == 0 && call->memory_size != 0)
		Py_CLEAR(call->memory); /* a hundred thousand that wait need none */
	call->previous = engine->queue_tail;
	call->next = NULL;
	if (engine->queue_tail != NULL)
		engine->queue_tail->next = call;
	else
		engine->queue_head = call;
	engine->queue_tail = call;
	engine->queued++;
	Py_INCREF((PyObject *)call);
}

/* The queue's reference is the caller's then. */
static void unqueue(struct engine *engine, struct call *call)
{
	if (call->previous != NULL)
		call->previous->next = call->next;
	else
		engine->queue_head = call->next;
	if (call->next != NULL)
		call->next->previous = call->previous;
	else
		engine->queue_tail = call->previous;
	call->previous = call->next = NULL;
	engine->queued--;
}

/* Returns a slot, or -errno. The table's reference is new. */
static int32_t submit(struct engine *engine, struct call *call)
{
	const int64_t *words = call->words;
	int32_t slot;

	if (call->memory == NULL && call->memory_size != 0 && !call_allocate(call)) {
		PyErr_Clear();
		return -ENOMEM;
	}
	slot = async_syscall_submit(engine->table, call->number, words[0], words[1], words[2], words[3],
	                            words[4], words[5]);
	if (slot >= 0) {
		call->slot = slot;
		call->state = CALL_SUBMITTED;
		engine->calls[slot] = call;
		Py_INCREF((PyObject *)call);
	}
	return slot;
}

/* An exception is set, and nothing was submitted. */
#define FAILED INT32_MIN

/*
 * The first request of a tick wakes an exec thread, which works on it while the loop makes the others;
 * the ring at the end of the tick is for all that it hasn't found by then.
 */
static int32_t submit_and_tell(struct engine *engine, struct call *call)
{
	bool is_first = !engine->ring_scheduled;
	int32_t slot;

	/* Before: once the request is written, nothing may go wrong that would give up its memory. */
	if (is_first && schedule_ring(engine) < 0)
		return FAILED;
	slot = submit(engine, call);
	if (is_first && slot >= 0)
		async_syscall_wake(engine->table);
	return slot;
}

int engine_submit(struct engine *engine, struct call *call)
{
	int32_t slot = -EAGAIN;

	call->future = PyObject_CallNoArgs(engine->create_future);
	if (call->future == NULL || PyObject_SetAttr(call->future, name_blocking, Py_True) < 0)
		return -1;
	PyObject_GC_Track(call);
	if (engine->table == NULL)
		return unusable(engine);
	if (engine->queue_head == NULL)
		slot = submit_and_tell(engine, call);
	/* The queue is fed when a slot is free; then the doorbell is rung for it. */
	if (slot == -EAGAIN && !async_syscall_is_forked(engine->table))
		append(engine, call);
	else if (slot == -ENOMEM)
		PyErr_NoMemory();
	else if (slot < 0 && slot != FAILED)
		unusable(engine);
	return PyErr_Occurred() ? -1 : 0;
}

static int feed(struct engine *engine)
{
	while (engine->queue_head != NULL) {
		struct call *call = engine->queue_head;
		int32_t slot = submit_and_tell(engine, call);
		int status = 0;

		if (slot == FAILED)
			return -1;
		if (slot < 0 && slot != -ENOMEM)
			return 0;
		unqueue(engine, call);
		if (slot < 0) {
			call_end(call, slot);
			status = call_wake(call);
		}
		Py_DECREF((PyObject *)call);
		if (status < 0)
			return -1;
	}
	return 0;
}

struct engine *engine_running(void)
{
	PyObject *engine;

	if (running_engine != NULL)
		return running_engine;
	engine = PyObject_CallNoArgs(look_up_engine);
	if (engine == NULL)
		return NULL;
	/* The loop has it. */
	Py_DECREF(engine);
	return (struct engine *)engine;
}

/* Takes what is complete out of the table: it waits among the ended, with the table's references. */
static void reap(struct engine *engine, int notified)
{
	uint32_t count = async_syscall_reap(engine->table, notified, engine->reaped);

	engine->looks_again = engine->reaped[0] != 0;
	for (uint32_t i = 0; i < count; i++) {
		int64_t slot = engine->reaped[1 + 2 * i];
		struct call *call = engine->calls[slot];

		engine->calls[slot] = NULL;
		call_end(call, engine->reaped[2 + 2 * i]);
		if (engine->ended_head == NULL)
			engine->ended_head = call;
		else
			engine->ended_tail->next = call;
		engine->ended_tail = call;
	}
}

/* The reference is the caller's then. */
static struct call *take_ended(struct engine *engine)
{
	struct call *call = engine->ended_head;

	if (call != NULL) {
		engine->ended_head = call->next;
		call->next = NULL;
	}
	return call;
}

/* The first error is told when all is done; the others are, at once. */
static void keep_error(PyObject *error[3], PyObject *about)
{
	if (error[0] == NULL)
		PyErr_Fetch(&error[0], &error[1], &error[2]);
	else
		PyErr_WriteUnraisable(about);
}

static PyObject *take(struct engine *engine, int notified)
{
	PyObject *error[3] = {NULL, NULL, NULL};
	struct call *call;

	if (engine->table == NULL)
		Py_RETURN_NONE;
	if (engine->ended_head == NULL)
		reap(engine, notified);
	/* Each is woken, whatever goes wrong with another. */
	for (int i = 0; i < WOKEN_AT_ONCE && (call = take_ended(engine)) != NULL; i++) {
		if (call_wake(call) < 0)
			keep_error(error, (PyObject *)call);
		Py_DECREF((PyObject *)call);
	}
	if (engine->queue_head != NULL && feed(engine) < 0)
		keep_error(error, (PyObject *)engine);
	if (!engine->look_scheduled && (engine->looks_again || engine->ended_head != NULL)) {
		/* The executor was told that we look again: nobody else would tell us. */
		PyObject *handle = PyObject_CallFunctionObjArgs(engine->call_soon, engine->look, NULL);

		if (handle == NULL) {
			keep_error(error, (PyObject *)engine);
			eventfd_write(async_syscall_event_fd(engine->table), 1);
		}
		engine->look_scheduled = handle != NULL;
		Py_XDECREF(handle);
	}
	if (error[0] == NULL)
		Py_RETURN_NONE;
	PyErr_Restore(error[0], error[1], error[2]);
	return NULL;
}

static PyObject *engine_on_notified(PyObject *self, PyObject *Py_UNUSED(ignored))
{
	struct engine *engine = (struct engine *)self;

	engine->wakeups++;
	return take(engine, 1);
}

static PyObject *engine_look(PyObject *self, PyObject *Py_UNUSED(ignored))
{
	struct engine *engine = (struct engine *)self;

	engine->look_scheduled = false;
	return take(engine, 0);
}

/* For who closes the engine: the Calls that have ended, with nobody woken. */
static PyObject *engine_reap(PyObject *self, PyObject *Py_UNUSED(ignored))
{
	struct engine *engine = (struct engine *)self;
	PyObject *list = PyList_New(0);
	struct call *call;

	if (list == NULL)
		return NULL;
	reap(engine, 0);
	while ((call = take_ended(engine)) != NULL) {
		/* One that doesn't get into the list is undone as it goes. */
		if (PyList_Append(list, (PyObject *)call) < 0)
			PyErr_WriteUnraisable(self);
		Py_DECREF((PyObject *)call);
	}
	if (feed(engine) < 0) {
		Py_DECREF(list);
		return NULL;
	}
	return list;
}

static PyObject *engine_feed(PyObject *self, PyObject *Py_UNUSED(ignored))
{
	if (feed((struct engine *)self) < 0)
		return NULL;
	Py_RETURN_NONE;
}

static struct call *checked_call(PyObject *argument)
{
	if (Py_TYPE(argument) == call_type)
		return (struct call *)argument;
	PyErr_SetString(PyExc_TypeError, "a Call is needed");
	return NULL;
}

/* True: the call never ran and never will, and is out of the table or the queue. */
static PyObject *engine_withdraw(PyObject *self, PyObject *argument)
{
	struct engine *engine = (struct engine *)self;
	struct call *call = checked_call(argument);

	if (call == NULL)
		return NULL;
	if (call->state == CALL_QUEUED) {
		call_withdrawn(call);
		unqueue(engine, call);
		Py_DECREF((PyObject *)call);
		Py_RETURN_TRUE;
	}
	if (call->state != CALL_SUBMITTED ||
	    !async_syscall_withdraw(engine->table, (uint32_t)call->slot))
		Py_RETURN_FALSE;
	engine->calls[call->slot] = NULL;
	call->slot = -1;
	call_withdrawn(call);
	Py_DECREF((PyObject *)call);
	Py_RETURN_TRUE;
}

static PyObject *engine_calls(PyObject *self, PyObject *Py_UNUSED(ignored))
{
	struct engine *engine = (struct engine *)self;
	PyObject *list = PyList_New(0);

	for (uint32_t slot = 0; list != NULL && slot < engine->slots; slot++)
		if (engine->calls[slot] != NULL && PyList_Append(list, (PyObject *)engine->calls[slot]) < 0)
			Py_CLEAR(list);
	return list;
}

static PyObject *engine_queue(PyObject *self, PyObject *Py_UNUSED(ignored))
{
	PyObject *list = PyList_New(0);

	for (struct call *call = ((struct engine *)self)->queue_head; list != NULL && call != NULL;
	     call = call->next)
		if (PyList_Append(list, (PyObject *)call) < 0)
			Py_CLEAR(list);
	return list;
}

static int to_word(PyObject *value, int64_t *word)
{
	int overflow;

	*word = PyLong_AsLongLongAndOverflow(value, &overflow);
	if (overflow > 0) /* an unsigned one */
		*word = (int64_t)PyLong_AsUnsignedLongLong(value);
	else if (overflow < 0)
		PyErr_SetString(PyExc_OverflowError, "int too big to convert");
	return PyErr_Occurred() ? -1 : 0;
}

static PyObject *engine_call(PyObject *self, PyObject *arguments, PyObject *keywords)
{
	static char *names[] = {"number", "words", "keep", "discard", "must_run", NULL};
	struct engine *engine = (struct engine *)self;
	PyObject *keep = NULL;
	PyObject *discard = NULL;
	PyObject *words;
	struct call *call;
	unsigned int number;
	int must_run = 0;
	Py_ssize_t count;

	if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "IO|OOp", names, &number, &words, &keep,
	                                 &discard, &must_run))
		return NULL;
	count = PySequence_Size(words);
	if (count < 0 || count > 6) {
		if (count > 6)
			PyErr_SetString(PyExc_ValueError, "a system call has six arguments at most");
		return NULL;
	}
	call = call_new(engine);
	if (call == NULL)
		return NULL;
	call->number = number;
	for (Py_ssize_t i = 0; i < count; i++) {
		PyObject *word = PySequence_GetItem(words, i);

		if (word == NULL || to_word(word, &call->words[i]) < 0) {
			Py_XDECREF(word);
			Py_DECREF((PyObject *)call);
			return NULL;
		}
		Py_DECREF(word);
	}
	call->keep = Py_XNewRef(keep);
	call->discard = discard == Py_None ? NULL : Py_XNewRef(discard);
	call->must_run = must_run;
	call->result = RESULT_RAW;
	return (PyObject *)call;
}

/* The end: Calls that are still in the table keep their references, since the kernel may be at them. */
static PyObject *engine_detach(PyObject *self, PyObject *Py_UNUSED(ignored))
{
	((struct engine *)self)->table = NULL;
	Py_RETURN_NONE;
}

static PyObject *get_uint64(PyObject *self, void *offset)
{
	return PyLong_FromUnsignedLongLong(*(uint64_t *)((char *)self + (size_t)offset));
}

static PyObject *get_fast_path(PyObject *self, void *Py_UNUSED(closure))
{
	return PyBool_FromLong(((struct engine *)self)->fast_path);
}

static int set_ring_scheduled(PyObject *self, PyObject *value, void *Py_UNUSED(closure))
{
	((struct engine *)self)->ring_scheduled = value == Py_True;
	return 0;
}

static int engine_initialize(PyObject *self, PyObject *arguments, PyObject *keywords)
{
	static char *names[] = {"loop", "table", "slots", "fast_path", NULL};
	struct engine *engine = (struct engine *)self;
	unsigned long long table;
	PyObject *loop;
	int fast_path;

	if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "OKIp", names, &loop, &table,
	                                 &engine->slots, &fast_path))
		return -1;
	engine->calls = (struct call **)PyMem_Calloc(engine->slots, sizeof engine->calls[0]);
	engine->reaped = PyMem_Calloc(1 + 2 * (size_t)engine->slots, sizeof engine->reaped[0]);
	engine->loop = Py_NewRef(loop);
	engine->create_future = PyObject_GetAttrString(loop, "create_future");
	engine->call_soon = PyObject_GetAttrString(loop, "call_soon");
	engine->ring = PyObject_GetAttrString(self, "_ring");
	engine->look = PyObject_GetAttrString(self, "_look");
	if (engine->calls == NULL || engine->reaped == NULL) {
		PyErr_NoMemory();
		return -1;
	}
	if (engine->create_future == NULL || engine->call_soon == NULL || engine->ring == NULL ||
	    engine->look == NULL)
		return -1;
	engine->budget = INLINE_BUDGET;
	engine->fast_path = fast_path;
	engine->table = (struct async_syscall_table *)(uintptr_t)table;
	return 0;
}

static int engine_traverse(PyObject *self, visitproc visit, void *arg)
{
	struct engine *engine = (struct engine *)self;

	Py_VISIT(Py_TYPE(self));
	Py_VISIT(engine->loop);
	Py_VISIT(engine->create_future);
	Py_VISIT(engine->call_soon);
	Py_VISIT(engine->ring);
	Py_VISIT(engine->look);
	for (uint32_t slot = 0; engine->calls != NULL && slot < engine->slots; slot++)
		Py_VISIT((PyObject *)engine->calls[slot]);
	for (struct call *call = engine->queue_head; call != NULL; call = call->next)
		Py_VISIT((PyObject *)call);
	for (struct call *call = engine->ended_head; call != NULL; call = call->next)
		Py_VISIT((PyObject *)call);
	return 0;
}

static int engine_clear(PyObject *self)
{
	struct engine *engine = (struct engine *)self;

	Py_CLEAR(engine->loop);
	Py_CLEAR(engine->create_future);
	Py_CLEAR(engine->call_soon);
	Py_CLEAR(engine->ring);
	Py_CLEAR(engine->look);
	while (engine->queue_head != NULL) {
		struct call *call = engine->queue_head;

		unqueue(engine, call);
		Py_DECREF((PyObject *)call);
	}
	while (engine->ended_head != NULL)
		Py_DECREF((PyObject *)take_ended(engine));
	return 0;
}

static void engine_dealloc(PyObject *self)
{
	struct engine *engine = (struct engine *)self;
	PyTypeObject *type = Py_TYPE(self);

	PyObject_GC_UnTrack(self);
	if (engine->weakrefs != NULL)
		PyObject_ClearWeakRefs(self);
	engine_clear(self);
	/* What is in calls[] now is in a table that was abandoned: the kernel has it. */
	PyMem_Free((void *)engine->calls);
	PyMem_Free(engine->reaped);
	PyObject_GC_Del(self);
	Py_DECREF(type);
}

static PyMethodDef engine_methods[] = {
    {"call", (PyCFunction)(void (*)(void))engine_call, METH_VARARGS | METH_KEYWORDS,
	 "call(number, words, keep=None, discard=None, must_run=False): a Call that gives the result "
	 "or "
	 "-errno."},
    {"_on_notified", engine_on_notified, METH_NOARGS, "The eventfd is readable."},
    {"_look", engine_look, METH_NOARGS, "Take what is complete; nobody has said that there is."},
    {"_reap", engine_reap, METH_NOARGS, "Take what is complete, wake nobody, return the Calls."},
    {"_feed", engine_feed, METH_NOARGS, "Give free slots to those who wait for one."},
    {"_withdraw", engine_withdraw, METH_O, "Take a Call back that nobody has claimed."},
    {"_calls", engine_calls, METH_NOARGS, "The Calls in the table."},
    {"_queue", engine_queue, METH_NOARGS, "The Calls that wait for a slot."},
    {"_detach", engine_detach, METH_NOARGS, "The table is gone."},
    {NULL, NULL, 0, NULL},
};

#define OFFSET(member) ((void *)offsetof(struct engine, member))
static PyGetSetDef engine_attributes[] = {
    {"queued", get_uint64, NULL, NULL, OFFSET(queued)},
    {"answered_inline", get_uint64, NULL, NULL, OFFSET(answered_inline)},
    {"wakeups", get_uint64, NULL, NULL, OFFSET(wakeups)},
    {"fast_path", get_fast_path, NULL, NULL, NULL},
    {"_ring_scheduled", NULL, set_ring_scheduled, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef engine_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(struct engine, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot engine_slots[] = {
    {Py_tp_doc, "The table's side of an engine."},
    {Py_tp_init, engine_initialize},
    {Py_tp_dealloc, engine_dealloc},
    {Py_tp_traverse, engine_traverse},
    {Py_tp_clear, engine_clear},
    {Py_tp_methods, engine_methods},
    {Py_tp_getset, engine_attributes},
    {Py_tp_members, engine_members},
    {0, NULL},
};

static PyType_Spec engine_spec = {
    .name = "_asyncsys_engine.EngineBase",
    .basicsize = sizeof(struct engine),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .slots = engine_slots,
};

/* The module's functions: which engine runs in this thread. */

static PyObject *set_running(PyObject *Py_UNUSED(module), PyObject *argument)
{
	struct engine *before = running_engine;

	if (argument != Py_None && !PyObject_TypeCheck(argument, engine_type)) {
		PyErr_SetString(PyExc_TypeError, "an engine or None is needed");
		return NULL;
	}
	/* Borrowed: the loop that runs has it. */
	running_engine = argument == Py_None ? NULL : (struct engine *)argument;
	return Py_NewRef(before == NULL ? Py_None : (PyObject *)before);
}

static PyObject *get_running(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
	struct engine *engine = engine_running();

	return Py_XNewRef((PyObject *)engine);
}

static PyObject *set_look_up(PyObject *Py_UNUSED(module), PyObject *argument)
{
	Py_XDECREF(look_up_engine);
	look_up_engine = Py_NewRef(argument);
	Py_RETURN_NONE;
}

static PyMethodDef module_methods[] = {
    {"set_running", set_running, METH_O,
	 "Set the engine of the loop that runs in this thread, return the one before."},
    {"running_engine", get_running, METH_NOARGS, "Return the engine of the running loop."},
    {"set_look_up", set_look_up, METH_O, "Set what finds the engine of a loop that isn't ours."},
    {NULL, NULL, 0, NULL},
};

int engine_init(PyObject *module)
{
	name_blocking = PyUnicode_InternFromString("_asyncio_future_blocking");
	name_unusable = PyUnicode_InternFromString("_unusable");
	engine_type = (PyTypeObject *)PyType_FromSpec(&engine_spec);
	if (name_blocking == NULL || name_unusable == NULL || engine_type == NULL ||
	    PyModule_AddFunctions(module, module_methods) < 0)
		return -1;
	return PyModule_AddObjectRef(module, "EngineBase", (PyObject *)engine_type);
}
