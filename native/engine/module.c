/* SPDX-License-Identifier: MIT */
/*
 * module.c - `_asyncsys_engine`, a second module in the shared object of cffi's `_asyncsys_loop`:
 * both work on the same tables. asyncsys_loop/_native.py loads it.
 */
#include "engine.h"

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_asyncsys_engine",
    .m_doc = "The hot path of asyncsys_loop's engine.",
    .m_size = -1,
};

/* CPython finds it by its name. */
PyMODINIT_FUNC PyInit__asyncsys_engine(void); /* NOLINT(misc-use-internal-linkage) */

PyMODINIT_FUNC PyInit__asyncsys_engine(void)
{
	PyObject *module = PyModule_Create(&definition);

	if (module == NULL)
		return NULL;
	if (call_init(module) < 0 || engine_init(module) < 0 || operation_init(module) < 0 ||
	    status_init(module) < 0 || directory_init(module) < 0 || inline_init() < 0) {
		Py_DECREF(module);
		return NULL;
	}
	return module;
}
