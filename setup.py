"""The optional compiled kernels; everything else about the package is in pyproject.toml.

Without a compiler the installation goes on and the NumPy kernels serve, with the same results.
"""

from setuptools import Extension, setup

setup(
    package_dir={"": "src"},
    # The extension keeps to Python's stable ABI, so that one wheel serves 3.11 and every later version.
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
    ext_modules=[
        Extension(
            "blemish.kernels._kernels",
            sources=["src/blemish/kernels/_kernels.c"],
            depends=[f"src/blemish/kernels/_kernels_{part}.h" for part in ("inner", "halves", "view", "gaussians")],
            extra_compile_args=["-O3", "-Wno-psabi"],
            py_limited_api=True,
            optional=True,
        )
    ],
)
