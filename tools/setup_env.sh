#!/usr/bin/env bash
# Makes the Python environment of a checkout, or does nothing where it is made.
#   bash tools/setup_env.sh      sets up; the last line is the Python to use
#   source tools/setup_env.sh    also puts that Python first on PATH
# The environment is the active virtualenv or conda environment, or else
# `.venv` in the repository. TINYFACES_PYTHON names the Python to make `.venv`
# with. An installed torch or MMDetection is used and never replaced.

# Sourced: work in a child, so that the caller's shell options stay.
if [[ "${BASH_SOURCE[0]}" != "$0" ]]; then
    PYTHON="$(bash "${BASH_SOURCE[0]}")" || return 1
    export PYTHON
    export PATH="${PYTHON%/*}:$PATH"
    return 0
fi

set -euo pipefail

tools="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)"
venv="$(dirname -- "$tools")/.venv"
# Present from before `python -m venv` until the set-up is complete: an
# interrupted one starts again from an empty folder.
unfinished="$venv/tinyfaces-unfinished"

say() { echo "[setup] $*" >&2; }

fail() {
    say "error: $*"
    exit 1
}

# usable PYTHON: it runs, has the right version and can make environments.
usable() {
    "$1" -c 'import sys, venv, ensurepip
sys.exit(not (3, 10) <= sys.version_info < (3, 13))' >/dev/null 2>&1
}

find_python() {
    local name
    if [[ -n "${TINYFACES_PYTHON:-}" ]]; then
        usable "$TINYFACES_PYTHON" || fail "TINYFACES_PYTHON=$TINYFACES_PYTHON" \
            "is not a Python 3.10 to 3.12 with the modules venv and ensurepip"
        echo "$TINYFACES_PYTHON"
        return
    fi
    for name in python3 python3.11 python3.12 python3.10; do
        if usable "$name"; then
            echo "$name"
            return
        fi
    done
    fail "found no Python 3.10, 3.11 or 3.12 with the modules venv and" \
        "ensurepip (on Debian: apt-get install python3-venv); name one with" \
        "TINYFACES_PYTHON=/path/to/python, or activate an environment"
}

make_venv() {
    local base options=()
    base="$(find_python)"
    # A torch that is installed beside this Python (GPU images) is kept.
    if "$base" -c 'import sys, importlib.util as u
sys.exit(u.find_spec("torch") is None)'; then
        options+=(--system-site-packages)
        say "$base has torch: .venv uses it"
    fi
    say "making .venv with $("$base" --version)"
    rm -rf -- "$venv"
    mkdir -p -- "$venv"
    touch -- "$unfinished"
    "$base" -m venv ${options[@]+"${options[@]}"} "$venv"
}

if [[ -n "${VIRTUAL_ENV:-}" ]]; then
    python="$VIRTUAL_ENV/bin/python"
elif [[ -n "${CONDA_PREFIX:-}" ]]; then
    python="$CONDA_PREFIX/bin/python"
else
    if [[ ! -e "$venv" || -e "$unfinished" ]]; then
        make_venv
    fi
    python="$venv/bin/python"
fi
[[ -x "$python" ]] || fail "the active environment has no $python;" \
    "deactivate it, or install Python 3.10 to 3.12 into it"
"$python" "$tools/_setup_env.py" >&2
rm -f -- "$unfinished"
echo "$python"
