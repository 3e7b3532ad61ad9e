/* SPDX-License-Identifier: MIT */
/*
 * operation.c - the arguments of a declared call, from Python to the kernel.
 *
 * What can't be converted here at once (an object with __index__, a second buffer, a number that
 * doesn't fit, nonsense) goes to Python's conversion, which knows every case, and raises what `os`
 * raises. It is a slow way to the same end, so nothing here has to give a good error.
 */
#include "engine.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/stat.h>
#include <string.h>

/* The kinds that _operation.py describes. Those that it alone converts are OTHER. */
enum kind {
	KIND_CONSTANT,
	KIND_EMPTY,
	KIND_INT,
	KIND_FD,
	KIND_SSIZE_T,
	KIND_OFF_T,
	KIND_WORD,
	KIND_ID,
	KIND_SIZE,
	KIND_FILDES,
	KIND_DIR_FD,
	KIND_PATH,
	KIND_PATH_FD,
	KIND_STRING,
	KIND_IN,
	KIND_OUT,
	KIND_MEMORY,
	KIND_LENGTH,
	KIND_LIMIT,
	KIND_STRUCT,
	KIND_OTHER,
};

static const char *const kind_names[] = {
    "constant", "empty", "int",    "fd",     "ssize_t", "off_t",   "word",
    "id",       "size",  "fildes", "dir_fd", "path",    "path_fd", "string",
    "in",       "out",   "memory", "length", "limit",   "struct",  "other",
};

/* The most that one read(2) or write(2) moves. */
#define MOST 0x7FFFF000
#define MOST_KINDS 6
#define MOST_AUDITED 6
/* What hooks see there isn't an argument. */
#define AUDITED_CONSTANT (-1)

struct operation {
	PyObject ob_base;
	uint32_t number;
	enum inline_way way;
	enum result result;
	bool returns_fd;
	bool returns_fds;
	bool must_run;
	uint32_t kinds;
	struct {
		enum kind kind;
		int64_t value; /* CONSTANT: itself; STRUCT: its size */
	} kind[MOST_KINDS];
	Py_ssize_t given; /* how many arguments Python gives */
	PyObject *event;
	uint32_t audited_count;
	int audited[MOST_AUDITED];
	PyObject *audited_constants;
	PyObject *slowly;
	PyObject *owner;      /* the Operation of Python */
	PyObject *definition; /* what it has said */
	bool defined;
};

static PyObject *audit;
static PyObject *name_when_ready;
static PyObject *name_give_way;
static PyObject *name_in_place;
static bool paths_are_utf8;

static bool to_integer(PyObject *argument, int64_t least, int64_t most, int64_t *word)
{
	int overflow;

	if (!PyLong_CheckExact(argument)) /* hooks see a bool as the int that it is */
		return false;
	*word = PyLong_AsLongLongAndOverflow(argument, &overflow);
	return overflow == 0 && *word >= least && *word <= most;
}

/* Text as the kernel reads it. `holder` gets what keeps it alive. */
static const char *to_text(PyObject *text, PyObject **holder)
{
	Py_ssize_t size;
	const char *chars;

	if (PyUnicode_Check(text)) {
		if (paths_are_utf8 && (chars = PyUnicode_AsUTF8AndSize(text, &size)) != NULL) {
			if (strlen(chars) != (size_t)size)
				return NULL;
			*holder = Py_NewRef(text);
			return chars;
		}
		PyErr_Clear(); /* a surrogate: what isn't UTF-8 in the file system */
		if (!PyUnicode_FSConverter(text, (void *)holder)) /* refuses NUL */
			return NULL;
		return PyBytes_AsString(*holder);
	}
	if (!PyBytes_Check(text))
		return NULL;
	chars = PyBytes_AsString(text);
	if (strlen(chars) != (size_t)PyBytes_Size(text))
		return NULL;
	*holder = Py_NewRef(text);
	return chars;
}

static bool to_buffer(struct call *call, PyObject *argument, bool writable, int64_t *words)
{
	if (call->has_buffer)
		return false;
	if (PyObject_GetBuffer(argument, &call->buffer, writable ? PyBUF_WRITABLE : PyBUF_SIMPLE) < 0)
		return false;
	call->has_buffer = true;
	words[0] = (int64_t)(intptr_t)call->buffer.buf;
	words[1] = call->buffer.len < MOST ? call->buffer.len : MOST;
	return true;
}

/*
 * Converts all arguments into call->words. `shown` gets what audit hooks see, borrowed from the
 * arguments or the call. Returns false where Python has to do it.
 */
static bool convert(const struct operation *operation, struct call *call,
                    PyObject *const *arguments, PyObject **shown)
{
	int64_t *words = call->words;
	uint32_t paths = 0;
	uint32_t texts = 0;
	uint32_t at = 0;

	for (uint32_t i = 0; i < operation->kinds; i++) {
		enum kind kind = operation->kind[i].kind;
		PyObject *argument = NULL;
		const char *text;

		if (at >= 6)
			return false;
		if (kind == KIND_CONSTANT) {
			words[at++] = operation->kind[i].value;
			continue;
		}
		if (kind == KIND_EMPTY) {
			words[at++] = (int64_t)(intptr_t)"";
			continue;
		}
		if (kind == KIND_STRUCT) {
			call->memory_word = (int)at++;
			call->memory_size = operation->kind[i].value;
			if (!call_allocate(call))
				return false;
			continue;
		}
		argument = *arguments++;
		*shown = argument;
		switch (kind) {
		case KIND_INT:
			if (!to_integer(argument, INT_MIN, INT_MAX, &words[at++]))
				return false;
			break;
		case KIND_FD:
			if (!to_integer(argument, INT_MIN, INT_MAX, &words[at]))
				return false;
			/* No descriptor is negative, but AT_FDCWD would be the working directory. */
			words[at] = words[at] < 0 ? -1 : words[at];
			at++;
			break;
		case KIND_SSIZE_T:
		case KIND_OFF_T:
		case KIND_WORD:
			if (!to_integer(argument, INT64_MIN, INT64_MAX, &words[at++]))
				return false;
			break;
		case KIND_ID:
			/* -1 leaves it as it is; hooks see 2**32 - 1. */
			if (!to_integer(argument, 0, UINT32_MAX - 1, &words[at++]))
				return false;
			break;
		case KIND_SIZE:
			if (!to_integer(argument, 0, MOST, &words[at++]))
				return false;
			break;
		case KIND_FILDES:
			if (!to_integer(argument, 0, INT_MAX, &words[at++]))
				return false;
			break;
		case KIND_DIR_FD:
			words[at] = AT_FDCWD;
			if (argument != Py_None && !to_integer(argument, INT_MIN, INT_MAX, &words[at]))
				return false;
			if (words[at] == AT_FDCWD)
				*shown = NULL;
			at++;
			break;
		case KIND_PATH:
			if (paths == 2 || texts == 2)
				return false;
			if (PyUnicode_Check(argument) || PyBytes_Check(argument))
				call->path[paths] = Py_NewRef(argument);
			else
				call->path[paths] = PyOS_FSPath(argument);
			if (call->path[paths] == NULL)
				return false;
			text = to_text(call->path[paths], &call->encoded[texts++]);
			if (text == NULL)
				return false;
			*shown = call->path[paths++];
			words[at++] = (int64_t)(intptr_t)text;
			break;
		case KIND_PATH_FD:
			if (paths == 2 || !to_integer(argument, INT_MIN, INT_MAX, &words[at]))
				return false;
			words[at] = words[at] < 0 ? -1 : words[at];
			at++;
			call->path[paths++] = Py_NewRef(argument);
			break;
		case KIND_STRING:
			if (texts == 2)
				return false;
			text = to_text(argument, &call->encoded[texts++]);
			if (text == NULL)
				return false;
			words[at++] = (int64_t)(intptr_t)text;
			break;
		case KIND_IN:
		case KIND_OUT:
			if (at > 4 || !to_buffer(call, argument, kind == KIND_OUT, &words[at]))
				return false;
			at += 2;
			break;
		case KIND_MEMORY:
			words[at] = 0;
			if (argument != Py_None) {
				if (call->keep != NULL || !PyBytes_Check(argument))
					return false;
				call->keep = Py_NewRef(argument);
				words[at] = (int64_t)(intptr_t)PyBytes_AsString(argument);
			}
			at++;
			break;
		case KIND_LENGTH:
			if (at > 4 || !to_integer(argument, 0, MOST, &words[at + 1]))
				return false;
			call->memory_word = (int)at;
			call->memory_size = words[at + 1];
			if (!call_allocate(call))
				return false;
			at += 2;
			break;
		case KIND_LIMIT:
			/* The memory is made when the call goes into the table. */
			if (at > 4 || !to_integer(argument, 0, MOST, &words[at + 1]))
				return false;
			call->memory_word = (int)at;
			call->memory_size = (int64_t)sizeof(struct statx) + words[at + 1] + 1;
			at += 2;
			break;
		default:
			return false;
		}
		shown++;
	}
	return true;
}

static int tell_hooks(const struct operation *operation, PyObject *const *shown)
{
	PyObject *arguments = PyTuple_New(1 + (Py_ssize_t)operation->audited_count);
	PyObject *result;

	if (arguments == NULL)
		return -1;
	PyTuple_SetItem(arguments, 0, Py_NewRef(operation->event));
	for (uint32_t i = 0; i < operation->audited_count; i++) {
		PyObject *value;

		if (operation->audited[i] == AUDITED_CONSTANT)
			value = Py_NewRef(PyTuple_GetItem(operation->audited_constants, (Py_ssize_t)i));
		else if (shown[operation->audited[i]] == NULL)
			value = PyLong_FromLong(-1); /* no dir_fd */
		else
			value = Py_NewRef(shown[operation->audited[i]]);
		PyTuple_SetItem(arguments, 1 + (Py_ssize_t)i, value);
	}
	result = PyObject_Call(audit, arguments, NULL);
	Py_DECREF(arguments);
	Py_XDECREF(result);
	return result == NULL ? -1 : 0;
}

static PyObject *go_slowly(const struct operation *operation, PyObject *const *arguments,
                           Py_ssize_t count)
{
	PyObject *tuple = PyTuple_New(count);
	PyObject *coroutine;

	if (tuple == NULL)
		return NULL;
	for (Py_ssize_t i = 0; i < count; i++)
		PyTuple_SetItem(tuple, i, Py_NewRef(arguments[i]));
	coroutine = PyObject_Call(operation->slowly, tuple, NULL);
	Py_DECREF(tuple);
	return coroutine;
}

/* When it is first called: there are a hundred operations at import. */
static int define(struct operation *operation)
{
	PyObject *definition = PyObject_CallMethod(operation->owner, "definition", NULL);
	PyObject *kinds;
	PyObject *audited;
	int returns_fd;
	int returns_fds;
	int must_run;
	int result;
	int way;

	if (definition == NULL)
		return -1;
	if (!PyArg_ParseTuple(definition, "IO!iipppOO!O!", &operation->number, &PyTuple_Type, &kinds,
	                      &result, &way, &returns_fd, &returns_fds, &must_run, &operation->event,
	                      &PyTuple_Type, &audited, &PyTuple_Type, &operation->audited_constants))
		goto failed;
	operation->result = (enum result)result;
	operation->way = (enum inline_way)way;
	operation->returns_fd = returns_fd;
	operation->returns_fds = returns_fds;
	operation->must_run = must_run;
	if (operation->event == Py_None)
		operation->event = NULL;
	if (PyTuple_Size(kinds) > MOST_KINDS || PyTuple_Size(audited) > MOST_AUDITED ||
	    PyTuple_Size(audited) != PyTuple_Size(operation->audited_constants)) {
		PyErr_SetString(PyExc_ValueError, "too many arguments for a system call");
		goto failed;
	}
	operation->kinds = (uint32_t)PyTuple_Size(kinds);
	operation->audited_count = (uint32_t)PyTuple_Size(audited);
	operation->given = 0;
	for (uint32_t i = 0; i < operation->kinds; i++) {
		const char *name;
		long long value;
		enum kind kind = KIND_CONSTANT;

		if (!PyArg_ParseTuple(PyTuple_GetItem(kinds, i), "sL", &name, &value))
			goto failed;
		while (kind < KIND_OTHER && strcmp(kind_names[kind], name) != 0)
			kind++;
		operation->kind[i].kind = kind;
		operation->kind[i].value = value;
		operation->given += kind != KIND_CONSTANT && kind != KIND_EMPTY && kind != KIND_STRUCT;
	}
	for (uint32_t i = 0; i < operation->audited_count; i++) {
		long position = PyLong_AsLong(PyTuple_GetItem(audited, i));

		if (position == -1 && PyErr_Occurred())
			goto failed;
		if (position < AUDITED_CONSTANT || position >= operation->given) {
			PyErr_SetString(PyExc_ValueError, "there is no argument at that position");
			goto failed;
		}
		operation->audited[i] = (int)position;
	}
	operation->slowly = PyObject_GetAttrString(operation->owner, "slowly");
	if (operation->slowly == NULL)
		goto failed;
	operation->definition = definition; /* event and constants are borrowed from it */
	operation->defined = true;
	return 0;
failed:
	Py_DECREF(definition);
	return -1;
}

/* A coroutine of the engine that awaits the call when it is time. Takes the caller's reference. */
static PyObject *become(struct call *call, PyObject *method)
{
	PyObject *coroutine =
	    PyObject_CallMethodObjArgs((PyObject *)call->engine, method, (PyObject *)call, NULL);

	Py_DECREF((PyObject *)call);
	return coroutine;
}

static PyObject *operation_call(PyObject *self, PyObject *const *arguments, Py_ssize_t count)
{
	struct operation *operation = (struct operation *)self;
	struct engine *engine;
	PyObject *shown[MOST_KINDS];
	struct call *call;

	if (!operation->defined && define(operation) < 0)
		return NULL;
	engine = engine_running();
	if (engine == NULL || count != operation->given) {
		PyErr_Clear();
		return go_slowly(operation, arguments, count);
	}
	call = call_new(engine);
	if (call == NULL)
		return NULL;
	if (!convert(operation, call, arguments, shown)) {
		Py_DECREF((PyObject *)call);
		PyErr_Clear();
		return go_slowly(operation, arguments, count);
	}
	if (operation->event != NULL && tell_hooks(operation, shown) < 0) {
		Py_DECREF((PyObject *)call);
		return NULL;
	}
	call->number = operation->number;
	call->way = operation->way;
	call->result = operation->result;
	call->returns_fd = operation->returns_fd;
	call->returns_fds = operation->returns_fds;
	call->must_run = operation->must_run;
	if (call->way == INLINE_NOT)
		return (PyObject *)call;
	/*
	 * What a read or write at the file's own position has moved can't be moved back: a coroutine that
	 * has to give way does so before, lest it is cancelled with bytes in its hands.
	 */
	if (engine->budget <= 0 && engine->fast_path &&
	    (call->way == INLINE_READ || call->way == INLINE_WRITE))
		return become(call, name_give_way);
	switch (call_try(call)) {
	case ANSWER_WAIT:
	case ANSWER_PIECE:
		return become(call, name_when_ready);
	case ANSWER_PLACE:
		return become(call, name_in_place);
	default:
		return (PyObject *)call;
	}
}

static PyObject *operation_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
	static char *names[] = {"owner", NULL};
	allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
	struct operation *operation;
	PyObject *owner;

	if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O", names, &owner))
		return NULL;
	operation = (struct operation *)allocate(type, 0);
	if (operation != NULL)
		operation->owner = Py_NewRef(owner);
	return (PyObject *)operation;
}

static void operation_dealloc(PyObject *self)
{
	struct operation *operation = (struct operation *)self;
	PyTypeObject *type = Py_TYPE(self);
	freefunc free_object = (freefunc)PyType_GetSlot(type, Py_tp_free);

	Py_CLEAR(operation->definition);
	Py_CLEAR(operation->slowly);
	Py_CLEAR(operation->owner);
	free_object(self);
	Py_DECREF(type);
}

static PyMethodDef operation_methods[] = {
    {"call", (PyCFunction)(void (*)(void))operation_call, METH_FASTCALL,
	 "Convert the arguments, answer at once where that can't block; return what is to be awaited."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot operation_slots[] = {
    {Py_tp_doc, "A declared system call: see asyncsys_loop._operation."},
    {Py_tp_new, operation_new},
    {Py_tp_dealloc, operation_dealloc},
    {Py_tp_methods, operation_methods},
    {0, NULL},
};

static PyType_Spec operation_spec = {
    .name = "_asyncsys_engine.Operation",
    .basicsize = sizeof(struct operation),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = operation_slots,
};

int operation_init(PyObject *module)
{
	PyObject *sys = PyImport_ImportModule("sys");
	PyObject *encoding;
	PyObject *type;

	if (sys == NULL)
		return -1;
	audit = PyObject_GetAttrString(sys, "audit");
	encoding = PyObject_CallMethod(sys, "getfilesystemencoding", NULL);
	Py_DECREF(sys);
	if (audit == NULL || encoding == NULL)
		return -1;
	paths_are_utf8 = PyUnicode_CompareWithASCIIString(encoding, "utf-8") == 0;
	Py_DECREF(encoding);
	name_when_ready = PyUnicode_InternFromString("_when_ready");
	name_give_way = PyUnicode_InternFromString("_give_way");
	name_in_place = PyUnicode_InternFromString("_in_place");
	type = PyType_FromSpec(&operation_spec);
	if (type == NULL || name_when_ready == NULL || name_give_way == NULL || name_in_place == NULL)
		return -1;
	return PyModule_AddObjectRef(module, "Operation", type);
}
