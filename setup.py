"""The optional compiled kernels; everything else about the package is in pyproject.toml.

Without a compiler the installation goes on and the NumPy kernels serve, with the same results.
"""

from setuptools import Extension, setup

setup(
    package_dir={"": "src"},
    ext_modules=[
        Extension(
            "blemish._kernels",
            sources=["src/blemish/_kernels.c"],
            depends=["src/blemish/_kernels_inner.h", "src/blemish/_kernels_halves.h", "src/blemish/_kernels_view.h"],
            extra_compile_args=["-O3", "-Wno-psabi"],
            py_limited_api=True,
            optional=True,
        )
    ],
)
