#!/usr/bin/env bash
# Run a Python program of this repository as on a 64-bit ARM machine, emulated (Debian; 0.5 GB in FOLDER, made once):
#   apt-get install qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross
#   PYTHONPATH=tests scripts/arm64.sh FOLDER tests/campaigns/other_machine.py
#   PYTHONPATH=tests scripts/arm64.sh FOLDER -m pytest -p no:cacheprovider tests/test_kernels.py
# Python and its libraries are Debian's for arm64, the packages those that PyPI serves for it, the kernels compiled here.
# It takes some 20 times as long as the machine itself; times say nothing.
set -euo pipefail
repo="$(cd "$(dirname "$0")/.." && pwd)"
folder="$(mkdir -p "$1" && cd "$1" && pwd)"
shift
make_folder() {
  cd "$folder"
  mkdir -p apt/lists/partial apt/cache/archives/partial debs wheels site system src/blemish
  : >apt/status
  local apt=(apt-get -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o "Dir::State::lists=$folder/apt/lists"
    -o "Dir::State::status=$folder/apt/status" -o "Dir::Cache=$folder/apt/cache")
  "${apt[@]}" update
  (cd debs && "${apt[@]}" download python3.11 python3.11-minimal libpython3.11-minimal libpython3.11-stdlib libc6 \
    libstdc++6 libgcc-s1 libgomp1 zlib1g libexpat1 libssl3 libffi8 libbz2-1.0 liblzma5 libsqlite3-0 libuuid1 libcrypt1)
  for package in debs/*.deb; do dpkg -x "$package" system; done
  python3 -m pip download --python-version 3.11 --only-binary=:all: --dest wheels \
    --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 --platform manylinux_2_17_aarch64 \
    numpy onnx onnxruntime opencv-python-headless pillow pydantic rich safetensors simplejpeg threadpoolctl typer \
    pytest hypothesis
  for wheel in wheels/*.whl; do python3 -m zipfile -e "$wheel" site; done
  # ONNX Runtime asks these files which processor it runs on; those of the machine around the emulator make it crash.
  mkdir -p system/proc system/sys/devices/system/cpu
  printf 'processor\t: 0\nFeatures\t: fp asimd crc32\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd08\nCPU revision\t: 3\n\n' >system/proc/cpuinfo
  for file in possible present online; do echo 0 >system/sys/devices/system/cpu/$file; done
  # A program that starts Python again has to start it by the emulator.
  printf '#!/bin/sh\nexec qemu-aarch64 -cpu cortex-a72 -L %s/system %s/system/usr/bin/python3.11 "$@"\n' "$folder" "$folder" >python
  printf 'import sys\nsys.executable = "%s/python"\n' "$folder" >site/sitecustomize.py
  chmod +x python
  rm -rf apt debs wheels
  touch ready
}
[ -f "$folder/ready" ] || (make_folder) >&2
include="$(python3 -c 'import sysconfig; print(sysconfig.get_paths()["include"])')"
cp -r "$repo/src/blemish" "$folder/src/" && rm -f "$folder"/src/blemish/kernels/*.so
aarch64-linux-gnu-gcc -O3 -Wno-psabi -shared -fPIC -I"$include" "$folder/src/blemish/kernels/_kernels.c" \
  -o "$folder/src/blemish/kernels/_kernels.abi3.so"
# Named as an installed package is, for its version.
mkdir -p "$folder/src/blemish-0.1.0.dist-info"
printf 'Metadata-Version: 2.1\nName: blemish\nVersion: 0.1.0\n' >"$folder/src/blemish-0.1.0.dist-info/METADATA"
export PYTHONPATH="${PYTHONPATH:+$PYTHONPATH:}$folder/src:$folder/site" PYTHONDONTWRITEBYTECODE=1
export LC_ALL=C.UTF-8 OPENBLAS_NUM_THREADS=1 ORT_DISABLE_TELEMETRY=1
unset OPENBLAS_CORETYPE
exec "$folder/python" "$@"
