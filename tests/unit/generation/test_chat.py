"""What a chat model is told, and what is kept of its answer."""

from __future__ import annotations

from codesieve.workers.generation import chat
from codesieve.workers.types import KEPT_OF_AN_ANSWER, Generated, GenerationRequest, PromptForm


def request(prompt: str, goes_on: bool = True) -> GenerationRequest:
    return GenerationRequest(
        "w", "P/0", prompt, 0.8, 0, seed=0, prompt_form=PromptForm.CHAT, goes_on_with_prompt=goes_on, names=("f",)
    )


def test_a_function_is_asked_for_in_words_and_anything_else_as_it_stands() -> None:
    assert chat.said_to_model(request("def f():")) == f"{chat.INSTRUCTION}```python\ndef f():\n```"
    assert chat.said_to_model(request('def f():\n    """```x```"""')).endswith(
        '````python\ndef f():\n    """```x```"""\n````'
    )
    assert chat.said_to_model(request("Write f.", goes_on=False)) == "Write f."


def test_of_a_long_answer_the_beginning_is_kept_and_all_of_the_code_is_judged() -> None:
    code = "def f():\n    pass\n" + "# filler\n" * 20_000
    answer = f"<think>{'hm ' * 50_000}</think>```python\n{code}```"
    made = chat.sample_of(Generated("w", answer.encode(), 7, -1.0), request("", goes_on=False))
    assert made.completion == code.removesuffix("\n").encode()
    assert made.answer == f"```python\n{code}".encode()[:KEPT_OF_AN_ANSWER]
    assert made.reasoning == ("hm " * 50_000).encode()[:KEPT_OF_AN_ANSWER]
    assert (made.token_count, made.cumulative_logprob) == (7, -1.0)
    assert made.prompt_form is None  # that is the engine's to say


def test_half_a_surrogate_pair_in_an_answer_is_kept() -> None:
    made = chat.sample_of(Generated("w", b"```\nf = '\xed\xa0\x80'\n```"), request("", goes_on=False))
    assert made.completion == b"f = '\xed\xa0\x80'"
