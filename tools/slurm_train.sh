#!/usr/bin/env bash
# Train under slurm: slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR
# [arguments of train.py]; for example on two machines of eight GPUs:
#   GPUS=16 GPUS_PER_NODE=8 CPUS_PER_TASK=5 SRUN_ARGS='--qos=high' \
#       slurm_train.sh gpu refineface CONFIG work_dirs/refineface
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/_launch.sh"
need_args 4 \
    'slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [arguments]' "$@"
launch_srun "$1" "$2" train.py "$3" --work-dir "$4" "${@:5}"
