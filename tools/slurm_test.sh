#!/usr/bin/env bash
# Test under slurm: slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT
# [arguments of test.py]; GPUS and the like as in slurm_train.sh.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/_launch.sh"
need_args 4 \
    'slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [arguments]' "$@"
launch_srun "$1" "$2" test.py "$3" "$4" "${@:5}"
