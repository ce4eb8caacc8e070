#!/usr/bin/env bash
# Build the wheel, install it in an empty environment away from the checkout, run a document.
# BIN: the bin folder of the development environment.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
"$BIN/python" -m build --wheel --no-isolation --outdir "$place" "$root" >/dev/null
"$BIN/python" -m venv "$place/env"
pip() { "$place/env/bin/python" -m pip install --quiet --disable-pip-version-check "$@"; }
pip --require-hashes -r "$root/requirements/run.txt"
pip --no-deps "$place"/*.whl
cd "$place"
mkdir corpus
echo "Zinc may shorten colds. It did not prevent them in a randomised trial." > corpus/zinc.txt
env/bin/hedgerow run
env/bin/hedgerow verify
env/bin/python - <<'PY'
import pandas as pd
claims = pd.read_parquet("outputs/latest/claims")
assert set(claims.certainty) == {"possible", "certain"}, claims
print(f"the wheel works on its own: {len(claims)} claims")
PY
