"""The one thing that pyproject.toml can't say: the native module is cffi's."""

import sysconfig

from setuptools import setup

# One wheel serves every CPython from 3.11 on. Free-threaded ones have no stable ABI before 3.15.
free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))

setup(
    cffi_modules=["native/build_native.py:ffibuilder"],
    options={} if free_threaded else {"bdist_wheel": {"py_limited_api": "cp311"}},
)
