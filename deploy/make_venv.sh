#!/usr/bin/env bash
# make_venv.sh PYTHON DIR: a virtual environment, or one line that says what is missing.
set -euo pipefail
python=$1 dir=$2

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  echo "codesieve needs Python 3.11 or newer as '$python'; name another with: make PYTHON=python3.12 ..." >&2
  exit 2
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  # Debian and Ubuntu ship venv apart from Python.
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null
  else
    echo "$python has no venv module; install it with: sudo apt-get install python3-venv" >&2
    exit 2
  fi
fi
"$python" -m venv "$dir"
"$dir/bin/pip" install --quiet --upgrade 'pip>=24'
