#!/usr/bin/env bash
# Ten-fold cross-validation on FDDB, as cross_validate_fddb.py describes it:
#   [GPUS=8] bash tools/cross_validate_fddb.sh CONFIG [--work-dir DIR]
#       [--folds N ...] [--cfg-options KEY=VALUE ...]
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/_launch.sh"
need_args 1 'cross_validate_fddb.sh CONFIG [--work-dir DIR] [--folds N ...]
       [--cfg-options KEY=VALUE ...]' "$@"
exec "$python" "$tools/cross_validate_fddb.py" "$@"
