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

/* What _operation.py says to operation.c, by the names that engine.h and compound.h give it. */
static int add_constants(PyObject *module)
{
	return PyModule_AddIntMacro(module, RESULT_INT) < 0 ||
	               PyModule_AddIntMacro(module, RESULT_NONE) < 0 ||
	               PyModule_AddIntMacro(module, RESULT_BYTES) < 0 ||
	               PyModule_AddIntMacro(module, RESULT_STRUCT) < 0 ||
	               PyModule_AddIntMacro(module, RESULT_STAT) < 0 ||
	               PyModule_AddIntMacro(module, RESULT_CONTENT) < 0 ||
	               PyModule_AddIntMacro(module, RESULT_FILE) < 0 ||
	               PyModule_AddIntMacro(module, INLINE_NOT) < 0 ||
	               PyModule_AddIntMacro(module, INLINE_NEVER_BLOCKS) < 0 ||
	               PyModule_AddIntMacro(module, INLINE_READ) < 0 ||
	               PyModule_AddIntMacro(module, INLINE_PREAD) < 0 ||
	               PyModule_AddIntMacro(module, INLINE_WRITE) < 0 ||
	               PyModule_AddIntMacro(module, INLINE_PWRITE) < 0 ||
	               PyModule_AddIntMacro(module, INLINE_OPENAT) < 0 ||
	               PyModule_AddIntMacro(module, INLINE_STATX) < 0 ||
	               PyModule_AddIntMacro(module, INLINE_CLOSE) < 0 ||
	               PyModule_AddIntMacro(module, INLINE_OPENAT2) < 0 ||
	               PyModule_AddIntMacro(module, INLINE_READ_FILE) < 0 ||
	               PyModule_AddIntMacro(module, COMPOUND_OPENED) < 0
	           ? -1
			   : 0;
}

/* CPython finds it by its name. */
PyMODINIT_FUNC PyInit__asyncsys_engine(void); /* NOLINT(misc-use-internal-linkage) */

PyMODINIT_FUNC PyInit__asyncsys_engine(void)
{
	PyObject *module = PyModule_Create(&definition);

	if (module == NULL)
		return NULL;
	if (add_constants(module) < 0 || call_init(module) < 0 || engine_init(module) < 0 ||
	    operation_init(module) < 0 || status_init(module) < 0 || directory_init(module) < 0 ||
	    inline_init() < 0) {
		Py_DECREF(module);
		return NULL;
	}
	return module;
}
