"""vLLM's own `LLM.generate`, with the settings that codesieve gives its engine: the peer of `bench_generation`.

It runs as a process of its own. Each line on its stdin is a list of pickled requests, in hex; each is answered by one line
of JSON: what `LLM.generate` took, and how many tokens stand in the samples, counted as codesieve counts them.
"""

from __future__ import annotations

import json
import os
import pickle
import sys
import time

from codesieve.workers.generation import models, vllm_forms
from codesieve.workers.generation.vllm import built_for_cpu, engine_environment, engine_options


def main() -> None:
    on_cpu = built_for_cpu()
    os.environ.update(engine_environment(on_cpu))
    from vllm import LLM

    answers, sys.stdout = sys.stdout, sys.stderr
    llm = LLM(**engine_options(models.resolve("smollm2"), on_cpu, 1))
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        requests = pickle.loads(bytes.fromhex(line))
        began = time.perf_counter()
        outputs = llm.generate(
            [request.prompt for request in requests],
            [vllm_forms.params_of(request) for request in requests],
            use_tqdm=False,
        )
        seconds = time.perf_counter() - began
        made = [vllm_forms.generated(llm.llm_engine, *pair) for pair in zip(requests, outputs, strict=True)]
        tokens = sum(one.token_count or 0 for one in made)
        print(json.dumps({"seconds": seconds, "tokens": tokens}), file=answers, flush=True)


if __name__ == "__main__":
    main()
