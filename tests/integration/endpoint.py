"""An OpenAI-compatible endpoint for the engines' tests, and what they ask of it.

It is a real HTTP server that speaks ``/v1/completions`` and ``/v1/chat/completions`` over recorded samples. It finds a
sample by the prompt and the seed, as an endpoint must that knows neither problems nor indexes.
"""

from __future__ import annotations

import dataclasses
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from codesieve.workers.types import PromptForm

RECORDED = [
    {"task_id": "P/0", "completion": f"    return a + b + {i}\n", "token_count": 7, "cumulative_logprob": -1.5 - i}
    for i in range(8)
]


@dataclasses.dataclass
class Endpoint:
    """The test's endpoint and what it saw."""

    url: str
    bodies: list[dict[str, Any]]
    answers: list[tuple[int, dict[str, str], dict[str, Any]]]
    """What it says before it serves as usual: status, headers, body."""
    held: threading.Event
    """While clear, completions are held back."""
    keys: list[str | None]
    owner: str = "vllm"
    """What it says that its model is owned by."""
    most_stops: int = 100


def _sampled(body: dict[str, Any], whole: str, total: float) -> tuple[str, str, list[str], float]:
    """Text, finish reason, tokens and the log-probability of each.

    Tokens are words with the white space before them, all of the same log-probability, and one that ends the text. Like
    vLLM's server it cuts the text in front of a stop sequence and tells of the tokens of it as well.
    """
    tokens = re.findall(r"\s*\S+|\s+", whole)
    each = total / len(tokens)
    for end in range(len(tokens) + 1):
        so_far = "".join(tokens[:end])
        stopped = [so_far.index(stop) for stop in body.get("stop") or [] if stop in so_far]
        if stopped:
            return so_far[: stopped[0]], "stop", tokens[:end], each
        if end == body["max_tokens"]:
            return so_far, "length", tokens[:end], each
    return whole, "stop", [*tokens, ""], each


def completion(body: dict[str, Any]) -> dict[str, Any]:
    """The recorded sample as it is, which is to go on with the prompt."""
    sample = RECORDED[body["seed"]]
    total = float(str(sample["cumulative_logprob"]))
    text, finish_reason, tokens, each = _sampled(body, str(sample["completion"]), total)
    logprobs = {
        "tokens": tokens,
        "token_logprobs": [each] * len(tokens),
        "top_logprobs": None,
        "text_offset": [sum(map(len, tokens[:place])) for place in range(len(tokens))],
    }
    choice = {"index": 0, "text": text, "finish_reason": finish_reason, "logprobs": logprobs}
    return _answer(body, choice, len(tokens)) | {"object": "text_completion"}


def chat(body: dict[str, Any]) -> dict[str, Any]:
    """The recorded sample with its function's head, in a block with prose around."""
    sample = RECORDED[body["seed"]]
    said = f"Sure:\n\n```python\ndef add(a, b):\n{sample['completion']}```\nIsn't it easy?\n"
    text, finish_reason, tokens, each = _sampled(body, said, float(str(sample["cumulative_logprob"])))
    content: list[dict[str, Any]] = [
        {"token": token, "logprob": each, "bytes": None, "top_logprobs": []} for token in tokens
    ]
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": finish_reason, "logprobs": {"content": content}}
    return _answer(body, choice, len(tokens)) | {"object": "chat.completion"}


def _answer(body: dict[str, Any], choice: dict[str, Any], count: int) -> dict[str, Any]:
    usage = {"prompt_tokens": 5, "completion_tokens": count, "total_tokens": 5 + count}
    return {"id": "c", "created": 0, "model": body["model"], "choices": [choice], "usage": usage}


@contextmanager
def serving() -> Iterator[Endpoint]:
    """An endpoint of one's own."""
    seen = Endpoint("", [], [], threading.Event(), [])
    seen.held.set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _say(self, status: int, headers: dict[str, str], body: dict[str, Any]) -> None:
            text = json.dumps(body).encode()
            self.send_response(status)
            for name, value in {
                "Content-Type": "application/json",
                "Content-Length": str(len(text)),
                **headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        def do_GET(self) -> None:
            seen.keys.append(self.headers["Authorization"])
            if seen.answers:
                self._say(*seen.answers.pop(0))
            elif self.path == "/v1/models":
                model = {"id": "tiny", "object": "model", "created": 0, "owned_by": seen.owner}
                self._say(200, {}, {"object": "list", "data": [model]})
            else:
                self._say(404, {}, {"error": {"message": "no such path"}})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.bodies.append(body)
            if seen.answers:
                self._say(*seen.answers.pop(0))
                return
            if len(body.get("stop") or []) > seen.most_stops:
                self._say(400, {}, {"error": {"message": f"'stop' takes at most {seen.most_stops} sequences"}})
                return
            if body["seed"] == 0:
                seen.held.wait(30)
            self._say(200, {}, chat(body) if self.path == "/v1/chat/completions" else completion(body))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Says nothing on stderr."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    seen.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield seen
    finally:
        seen.held.set()
        server.shutdown()
        thread.join()
        server.server_close()


CHAT: dict[str, Any] = {"prompt_form": PromptForm.CHAT, "names": ("add",), "stop": (), "max_tokens": 40}
