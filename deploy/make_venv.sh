#!/usr/bin/env bash
# make_venv.sh PYTHON DIR: a virtual environment, or one line that says what is missing.
set -euo pipefail
python=$1 dir=$2

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  echo "codesieve needs Python 3.11 or newer as '$python'; name another with: make PYTHON=python3.12 ..." >&2
  exit 2
fi
# Debian and Ubuntu ship venv apart from Python.
"$(dirname "$0")/need.sh" python3-venv "$python has no venv module" "$python" -c 'import ensurepip, venv'
"$python" -m venv "$dir"
"$dir/bin/pip" install --quiet --upgrade 'pip>=24'
