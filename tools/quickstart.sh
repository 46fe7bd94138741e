#!/usr/bin/env bash
# Environment, then the whole job on the built-in sample: make the sample,
# train, test, detect. A second run skips what is done. Arguments go to
# tools/quickstart.py (--out, --seed, --from-scratch).
set -euo pipefail

tools="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)"
source "$tools/setup_env.sh"
exec "$PYTHON" "$tools/quickstart.py" "$@"
