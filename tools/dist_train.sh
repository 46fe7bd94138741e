#!/usr/bin/env bash
# Train on several GPUs: dist_train.sh CONFIG GPUS [arguments of train.py]
# On several machines, run it on each with the same MASTER_ADDR and PORT:
#   NNODES=2 NODE_RANK=0 MASTER_ADDR=10.1.1.1 PORT=29500 dist_train.sh ...
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/_launch.sh"
need_args 2 'dist_train.sh CONFIG GPUS [arguments of train.py]' "$@"
launch_torchrun train.py "$2" "$1" "${@:3}"
