# make demo   the whole job on real solar cells
# make page   the scripts of the pages of a station, which need Node 20 and npm; the wheel takes what is built
# make test   lint, types, import rules and all tests
# make long-test   of them, the long ones: commands of the docs; a station killed 200 times, a newcomer in a browser, proxies, large files
# make ray-test    of them, those of a cluster: Ray on this machine, its processes killed, and a bucket on a server of S3
# make campaigns   files under load and kills, models replaced under load, damaged model files, about an hour; results in tests/campaigns/results
# All set up what they need in .venv and .venv-torch.

PYTHON ?= python3
CORE = .venv/bin
TORCH = .venv-torch/bin
ORT_WEB = .venv/onnxruntime-web
ORT_WEB_VERSION = 1.30.0
PIP = -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo page test check core-test long-test ray-test torch-test docs campaigns clean

demo: .venv/ready
	$(CORE)/blemish demo --output demo-out

test: check core-test long-test ray-test torch-test

check: .venv/ready
	$(CORE)/ruff check .
	$(CORE)/ruff format --check .
	$(CORE)/mypy
	$(CORE)/lint-imports --no-logo

page:
	cd page && npm ci --no-audit --no-fund && npm run build

core-test: .venv/ready .venv/wheelhouse/ready
	if command -v npm >/dev/null; then $(MAKE) page $(ORT_WEB)/ready; else echo "npm is not here: the pages of a station are tested without their scripts, and the page of an export is not run"; fi
	$(CORE)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir .venv/wheelhouse .
	$(CORE)/python -c "import importlib.util as u; assert u.find_spec('torch') is None, 'torch is in the core environment'"
	if [ -f $(ORT_WEB)/ready ]; then export BLEMISH_ORT_WEB=$(CURDIR)/$(ORT_WEB); fi; \
	BLEMISH_WHEELHOUSE=.venv/wheelhouse $(CORE)/python -m pytest -m "not torch and not slow and not long and not ray" --numprocesses 2 --dist worksteal

# The quickstart's commands; of a station, 200 kills, examples by curl and in Python, a newcomer in a browser, proxies, Parquet
long-test: .venv/station
	if command -v npm >/dev/null; then $(MAKE) page; fi
	$(CORE)/python -m pytest -m long --numprocesses 2 --dist worksteal -rs --durations 5

# After the core's tests, into their environment: one of its own would cost two minutes more
ray-test: .venv/ray
	BLEMISH_MOTO_SERVER=$(CURDIR)/$(CORE)/moto_server $(CORE)/python -m pytest tests/cluster -m "ray and not slow" --numprocesses 2 --dist loadfile -rs --durations 5

torch-test: .venv-torch/ready
	$(TORCH)/python -m pytest -m torch

docs: .venv/docs
	$(CORE)/python scripts/write_options.py
	$(CORE)/python scripts/write_cli_docs.py
	$(CORE)/python scripts/write_station_docs.py
	NO_MKDOCS_2_WARNING=1 $(CORE)/mkdocs build --strict

campaigns: .venv/ready
	PYTHONPATH=tests:benchmarks $(CORE)/python tests/campaigns/files.py --keep
	PYTHONPATH=tests:benchmarks $(CORE)/python tests/campaigns/kills.py --keep
	PYTHONPATH=tests:benchmarks $(CORE)/python tests/campaigns/threads.py --keep
	PYTHONPATH=tests:benchmarks $(CORE)/python tests/campaigns/model_files.py --keep

.venv/ready: pyproject.toml constraints.txt $(wildcard setup.py src/blemish/kernels/_kernels*.[ch])
	$(PYTHON) -m venv .venv
	$(CORE)/python $(PIP) --editable '.[dev,demo]'
	touch $@

# Of the package for browsers, the files that the page of an export loads; the whole would take 139 MB.
$(ORT_WEB)/ready: | .venv/ready
	mkdir -p $(ORT_WEB)
	cd $(ORT_WEB) && npm pack --silent onnxruntime-web@$(ORT_WEB_VERSION) && tar -xzf *.tgz --strip-components 2 \
	  package/dist/ort.wasm.min.mjs package/dist/ort-wasm-simd-threaded.mjs package/dist/ort-wasm-simd-threaded.wasm
	rm $(ORT_WEB)/*.tgz
	touch $@

.venv/station: .venv/ready
	$(CORE)/python $(PIP) --editable '.[browser,parquet]'
	touch $@

.venv/ray: .venv/ready
	$(CORE)/python $(PIP) --editable '.[ray,bucket]'
	touch $@

.venv/docs: .venv/ready
	$(CORE)/python $(PIP) --editable '.[docs]'
	touch $@

.venv/wheelhouse/ready: .venv/ready
	$(CORE)/python -m pip wheel --quiet --disable-pip-version-check --constraint constraints.txt --wheel-dir $(@D) .
	touch $@

.venv-torch/ready: pyproject.toml constraints.txt $(wildcard setup.py src/blemish/kernels/_kernels*.[ch])
	$(PYTHON) -m venv .venv-torch
	$(TORCH)/python $(PIP) --editable '.[dev,torch,builtin]'
	touch $@

clean:
	rm -rf .venv .venv-torch build dist demo-out site
