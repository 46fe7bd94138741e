#!/usr/bin/env bash
# Train in rounds with hard negatives, as bootstrap_train.py describes it:
#   bash tools/bootstrap_train.sh CONFIG [ROUNDS=2] [GPUS=1]
#       [arguments of bootstrap_train.py]
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/_launch.sh"
need_args 1 'bootstrap_train.sh CONFIG [ROUNDS=2] [GPUS=1]
       [arguments of bootstrap_train.py]' "$@"
arguments=("$1")
shift
for name in rounds gpus; do
    if [[ "${1:-}" =~ ^[0-9]+$ ]]; then
        arguments+=("--$name" "$1")
        shift
    fi
done
exec "$python" "$tools/bootstrap_train.py" "${arguments[@]}" "$@"
