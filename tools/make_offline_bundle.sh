#!/usr/bin/env bash
# Collects everything for a machine without a network into one folder:
#   bash tools/make_offline_bundle.sh OUT [--python 3.12] [--weights DIR] ...
# --help lists the options. There, `bash OUT/install.sh` installs it.
set -euo pipefail
tools="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)"
exec "${PYTHON:-python3}" "$tools/_offline_bundle.py" "$@"
