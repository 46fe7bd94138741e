#!/usr/bin/env bash
# Harvest hard negatives on several GPUs: dist_harvest.sh CONFIG CHECKPOINT
# GPUS --out FILE [arguments of harvest_hard_negatives.py]; several machines as
# in dist_train.sh, with FILE in a folder that all of them see.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/_launch.sh"
need_args 3 'dist_harvest.sh CONFIG CHECKPOINT GPUS --out FILE [arguments of
       harvest_hard_negatives.py]' "$@"
launch_torchrun harvest_hard_negatives.py "$3" "$1" "$2" "${@:4}"
