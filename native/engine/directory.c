/* SPDX-License-Identifier: MIT */
/* directory.c - what getdents64(2) has written, as Python lists. */
#define _GNU_SOURCE
#include "engine.h"

#include <dirent.h>
#include <string.h>

/* struct linux_dirent64, which no header of user space has. */
struct entry {
	uint64_t inode;
	int64_t offset;
	uint16_t length; /* of all of it */
	uint8_t type;
	char name[];
};

static bool is_dot(const char *name)
{
	return name[0] == '.' && (name[1] == 0 || (name[1] == '.' && name[2] == 0));
}

static PyObject *list_entries(PyObject *arguments, bool whole)
{
	const char *bytes;
	Py_ssize_t size;
	int decode;
	PyObject *list;

	if (!PyArg_ParseTuple(arguments, "y#p", &bytes, &size, &decode))
		return NULL;
	list = PyList_New(0);
	for (Py_ssize_t at = 0; list != NULL && at < size;) {
		const struct entry *entry = (const struct entry *)(const void *)(bytes + at);
		Py_ssize_t length = (Py_ssize_t)strlen(entry->name);
		PyObject *item;

		at += entry->length;
		if (is_dot(entry->name))
			continue;
		item = decode ? PyUnicode_DecodeFSDefaultAndSize(entry->name, length)
		              : PyBytes_FromStringAndSize(entry->name, length);
		if (whole && item != NULL)
			item = Py_BuildValue("(NiK)", item, (int)entry->type, (unsigned long long)entry->inode);
		if (item == NULL || PyList_Append(list, item) < 0)
			Py_CLEAR(list);
		Py_XDECREF(item);
	}
	return list;
}

static PyObject *directory_names(PyObject *Py_UNUSED(module), PyObject *arguments)
{
	return list_entries(arguments, false);
}

static PyObject *directory_entries(PyObject *Py_UNUSED(module), PyObject *arguments)
{
	return list_entries(arguments, true);
}

static PyMethodDef methods[] = {
    {"directory_names", directory_names, METH_VARARGS,
	 "directory_names(entries, decode): the names, without . and .., as str or bytes."},
    {"directory_entries", directory_entries, METH_VARARGS,
	 "directory_entries(entries, decode): (name, d_type, inode) of each, without . and ..."},
    {NULL, NULL, 0, NULL},
};

int directory_init(PyObject *module)
{
	return PyModule_AddFunctions(module, methods);
}
