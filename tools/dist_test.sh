#!/usr/bin/env bash
# Test on several GPUs: dist_test.sh CONFIG CHECKPOINT GPUS [arguments of
# test.py]; several machines as in dist_train.sh.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/_launch.sh"
need_args 3 'dist_test.sh CONFIG CHECKPOINT GPUS [arguments of test.py]' "$@"
launch_torchrun test.py "$3" "$1" "$2" "${@:4}"
