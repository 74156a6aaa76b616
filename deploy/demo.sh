#!/usr/bin/env bash
# The demo: a small real model writes HumanEval solutions, sandboxes judge them, and the table comes back.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=.venv/bin

$bin/python -m codesieve.workers.generation.models prepare >/dev/null
exec $bin/codesieve run humaneval --model smollm2 --limit 20 -n 4 -t 0.2 -t 0.8 -k 1,4 --max-tokens 160 --seed 1 \
  --out codesieve-demo
