/* SPDX-License-Identifier: MIT */
/* status.c - os.stat_result from what statx(2) has written. */
#define _GNU_SOURCE
#include "engine.h"

#include <linux/stat.h>
#include <sys/sysmacros.h>

static PyObject *stat_result_type;

static PyObject *nanoseconds(const struct statx_timestamp *time)
{
	PyObject *billion;
	PyObject *seconds;
	PyObject *scaled;
	PyObject *rest;
	PyObject *sum;

	/* In 64 bits from the year 1677 to 2262. */
	if (time->tv_sec > -9000000000LL && time->tv_sec < 9000000000LL)
		return PyLong_FromLongLong(time->tv_sec * 1000000000LL + time->tv_nsec);
	billion = PyLong_FromLong(1000000000);
	seconds = PyLong_FromLongLong(time->tv_sec);
	rest = PyLong_FromUnsignedLong(time->tv_nsec);
	scaled = billion && seconds ? PyNumber_Multiply(seconds, billion) : NULL;
	sum = scaled && rest ? PyNumber_Add(scaled, rest) : NULL;
	Py_XDECREF(billion);
	Py_XDECREF(seconds);
	Py_XDECREF(rest);
	Py_XDECREF(scaled);
	return sum;
}

PyObject *stat_result(const struct statx *status)
{
	const struct statx_timestamp *times[] = {&status->stx_atime, &status->stx_mtime,
	                                         &status->stx_ctime};
	PyObject *fields = PyStructSequence_New((PyTypeObject *)stat_result_type);
	Py_ssize_t at = 0;

	if (fields == NULL)
		return NULL;
	PyStructSequence_SetItem(fields, at++, PyLong_FromUnsignedLong(status->stx_mode));
	PyStructSequence_SetItem(fields, at++, PyLong_FromUnsignedLongLong(status->stx_ino));
	PyStructSequence_SetItem(
	    fields, at++,
	    PyLong_FromUnsignedLongLong(makedev(status->stx_dev_major, status->stx_dev_minor)));
	PyStructSequence_SetItem(fields, at++, PyLong_FromUnsignedLong(status->stx_nlink));
	PyStructSequence_SetItem(fields, at++, PyLong_FromUnsignedLong(status->stx_uid));
	PyStructSequence_SetItem(fields, at++, PyLong_FromUnsignedLong(status->stx_gid));
	PyStructSequence_SetItem(fields, at++, PyLong_FromUnsignedLongLong(status->stx_size));
	for (int i = 0; i < 3; i++)
		PyStructSequence_SetItem(fields, at++, PyLong_FromLongLong(times[i]->tv_sec));
	for (int i = 0; i < 3; i++)
		PyStructSequence_SetItem(
		    fields, at++, PyFloat_FromDouble((double)times[i]->tv_sec + 1e-9 * times[i]->tv_nsec));
	for (int i = 0; i < 3; i++)
		PyStructSequence_SetItem(fields, at++, nanoseconds(times[i]));
	PyStructSequence_SetItem(fields, at++, PyLong_FromUnsignedLong(status->stx_blksize));
	PyStructSequence_SetItem(fields, at++, PyLong_FromUnsignedLongLong(status->stx_blocks));
	PyStructSequence_SetItem(
	    fields, at++,
	    PyLong_FromUnsignedLongLong(makedev(status->stx_rdev_major, status->stx_rdev_minor)));
	if (PyErr_Occurred()) {
		Py_DECREF(fields);
		return NULL;
	}
	return fields;
}

static PyObject *stat_result_of(PyObject *Py_UNUSED(module), PyObject *memory)
{
	if (!PyBytes_Check(memory) || PyBytes_Size(memory) < (Py_ssize_t)sizeof(struct statx)) {
		PyErr_SetString(PyExc_TypeError, "a struct statx is needed");
		return NULL;
	}
	return stat_result((const struct statx *)(const void *)PyBytes_AsString(memory));
}

static PyObject *is_fifo_method(PyObject *Py_UNUSED(module), PyObject *descriptor)
{
	long fd = PyLong_AsLong(descriptor);

	return fd == -1 && PyErr_Occurred() ? NULL : PyBool_FromLong(is_fifo((int)fd));
}

static PyMethodDef status_methods[] = {
    {"stat_result", stat_result_of, METH_O, "Return os.stat_result of a struct statx."},
    {"is_fifo", is_fifo_method, METH_O, "Whether a descriptor is a FIFO's. Asks no server."},
    {NULL, NULL, 0, NULL},
};

int status_init(PyObject *module)
{
	PyObject *os = PyImport_ImportModule("os");

	if (os == NULL)
		return -1;
	stat_result_type = PyObject_GetAttrString(os, "stat_result");
	Py_DECREF(os);
	return stat_result_type == NULL ? -1 : PyModule_AddFunctions(module, status_methods);
}
