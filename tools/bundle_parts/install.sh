#!/usr/bin/env bash
# Installs this bundle with no package index, into the Python named by PYTHON
# (default: python3). That Python must have torch.
#   bash install.sh [FOLDER]     FOLDER: for the repository (default: tinyfaces
#                                beside this script)
set -euo pipefail
bundle="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)"
target="${1:-$bundle/tinyfaces}"
python="${PYTHON:-python3}"

# What the bundle was made for, and the torch that is to be kept.
torch="$("$python" - "$bundle/bundle.json" <<'PY'
import json, sys
from importlib import metadata
bundle = json.load(open(sys.argv[1], encoding='utf-8'))
found = '{}.{}'.format(*sys.version_info[:2])
if found != bundle['python']:
    sys.exit(f'error: this bundle is for Python {bundle["python"]}, but '
             f'{sys.executable} is {found}; name another with PYTHON=')
try:
    torch = metadata.version('torch')
except metadata.PackageNotFoundError:
    sys.exit(f'error: {sys.executable} has no torch, and the bundle brings '
             'none; install torch there first, or name another with PYTHON=')
wanted = bundle['torch']
if wanted and wanted not in (torch, torch.partition('+')[0]):
    sys.exit(f'error: this bundle is for torch {wanted}, but '
             f'{sys.executable} has {torch}')
print(torch)
PY
)"

if [[ -e "$target" ]]; then
    echo "error: $target exists already; remove it, or name another folder" >&2
    exit 1
fi

# No index and no setting of this machine may add one; torch stays as it is.
install() {
    PIP_CONFIG_FILE=/dev/null "$python" -m pip --isolated install --quiet \
        --no-index --disable-pip-version-check "$@"
}
constraints="$(mktemp)"
trap 'rm -f -- "$constraints"' EXIT
echo "torch==$torch" >"$constraints"

echo "installing $(find "$bundle/wheels" -name '*.whl' | wc -l) wheels"
install --find-links "$bundle/wheels" --only-binary=:all: -c "$constraints" \
    -r "$bundle/wheels/requirements.txt"
if ! error="$("$python" -c 'import cv2' 2>&1)"; then
    # opencv-python needs libGL; its headless build has the same module.
    echo "installing the headless OpenCV: ${error##*$'\n'}"
    install --find-links "$bundle/wheels" --no-deps --force-reinstall \
        opencv-python-headless
    "$python" -c 'import cv2'
fi

mkdir -p -- "$target"
tar -xzf "$bundle/repository/tinyfaces.tar.gz" -C "$target" \
    --strip-components=1
install --no-deps --no-build-isolation -e "$target"
for part in weights data; do
    if [[ -d "$bundle/$part" && ! -e "$target/$part" ]]; then
        ln -s -- "$bundle/$part" "$target/$part"
    fi
done
"$python" -c 'import tinyfaces.models' >/dev/null
echo "tinyfaces is installed in $target, with torch $torch"
