#!/usr/bin/env bash
# Sets the environment up and runs every test that needs no research data.
#   bash tools/run_tests.sh [arguments of pytest, such as -k nms or -n 0]
# Two workers of one thread each: files stay whole and in order, so a run is
# repeatable, and two cores are busy.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
source tools/setup_env.sh
unset TINYFACES_DATA
export OMP_NUM_THREADS=1
exec "$PYTHON" -m pytest -q -n 2 --dist loadfile --durations=10 \
    -m 'not real_data' "$@"
