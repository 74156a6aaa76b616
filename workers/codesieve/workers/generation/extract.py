"""The code in a chat model's answer. Pure; it never raises and never makes up code.

An answer is split into what was thought and what was said (`split_thinking`); what was said into fenced blocks; one block
is chosen; and its code is made to stand where the completion stands (`code_of`):

- Of the blocks that are Python or say nothing of their language, the last finished one that defines what the tests call;
  without such a one an unfinished one that does (the token limit); without that the longest. Earlier blocks that define
  names which it uses come in front of it. Without any block the answer is taken as code with prose around it.
- Where the program is prompt + completion: if the code begins with the prompt itself, what follows; if it defines the entry
  point anew, all of it, which then takes the place of the prompt's own function (one without a body gets ``pass``, the only
  text that isn't the answer's); else it is the function's body and gets the prompt's indentation.

Line ends become "\\n". Text inside a triple-quoted string is never taken for the end of a block.
"""

from __future__ import annotations

import ast
import builtins
import dataclasses
import re
import warnings
from collections.abc import Sequence

from codesieve.workers.types import AssertionTests, FunctionTests, Problem

_FENCE = re.compile(r"([ \t]*)(`{3,}|~{3,})[ \t]*(.*)")
_LANGUAGE = re.compile(r"[{.\s]*([\w+#-]*)")
_PYTHON = frozenset(["", "python", "python3", "py", "py3", "ipython"])
_MARKDOWN = frozenset(["markdown", "md"])
_STRING_OR_COMMENT = re.compile(r"\"\"\"|'''|#.*|\"(?:\\.|[^\"\\])*(?:\"|$)|'(?:\\.|[^'\\])*(?:'|$)")
_CODE_LINE = re.compile(
    r"(?:async\s+)?def\s+\w+\s*\(|class\s+\w+\s*[:(]|from\s+[\w.]+\s+import\s|import\s+[\w.]+(?:\s+as\s+\w+)?\s*(?:,|;|#|$)|@\w"
)
_INDENTED_LINE = re.compile(r"(?: {4}|\t)\s*\S")
_FUTURE = re.compile(r"^from __future__ import [^(\n]*(?:\n|\Z)", re.MULTILINE)
_PLUGS = ("", "\n    pass\n", "\n        pass\n", "\n\tpass\n")
OPENED, _CLOSED = "<think>", "</think>"
_MOST_PARSED = 200_000
"""Characters beyond which text isn't parsed to find where its prose begins."""
_MOST_TRIES = 20


def split_thinking(answer: str) -> tuple[str | None, str]:
    """What was thought, None if nothing, and the rest.

    Thinking is what stands between <think> and </think>. Where that is missing, the token limit came first and all of it is
    thinking. Where <think> is missing, it stood at the end of the prompt.
    """
    start = answer.lstrip()
    if start.startswith(OPENED):
        answer = start.removeprefix(OPENED)
    elif _CLOSED not in answer:
        return None, answer
    thought, _, said = answer.partition(_CLOSED)
    return thought.strip() or None, said


def names_under_test(problem: Problem) -> tuple[str, ...]:
    """What an answer's code has to define, as far as the tests tell: the entry point, or what the assertions call."""
    if isinstance(problem.tests, FunctionTests):
        return (problem.entry_point,)
    if not isinstance(problem.tests, AssertionTests):
        return ()
    trees = [_parsed(source) for source in problem.tests.assertions]
    called = [
        node.func.id
        for tree in trees
        if tree is not None
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    return tuple(dict.fromkeys(name for name in called if not hasattr(builtins, name)))


def code_of(said: str, names: Sequence[str] = (), prompt: str | None = None) -> str:
    """The completion in what a model said. `prompt` is what the completion goes on with; None if it is a whole program."""
    text = said.replace("\r\n", "\n").replace("\r", "\n")
    blocks = _blocks(text.split("\n"))
    code = _chosen(blocks, names) if blocks else _bare(text, prompt is not None)
    return code if prompt is None else _behind(prompt.replace("\r\n", "\n"), code, names)


@dataclasses.dataclass(frozen=True, slots=True)
class _Block:
    language: str
    code: str
    closed: bool


def _blocks(lines: list[str]) -> list[_Block]:
    blocks: list[_Block] = []
    place = 0
    while place < len(lines):
        opening = _FENCE.fullmatch(lines[place])
        place += 1
        if opening is None or (opening[2][0] == "`" and "`" in opening[3]):  # the latter is code within a line
            continue
        indent, mark = opening[1], opening[2]
        named = _LANGUAGE.match(opening[3])
        language = named[1].lower() if named else ""
        end = _end_of_block(lines, place, mark, language in _PYTHON)
        held = [line[len(indent) :] if line.startswith(indent) else line.lstrip() for line in lines[place:end]]
        inner = _blocks(held) if language in _MARKDOWN else []
        blocks += inner or [_Block(language, "\n".join(held), end < len(lines))]
        place = end + 1
    return blocks


def _end_of_block(lines: list[str], start: int, mark: str, is_python: bool) -> int:
    """The line that closes a block: the first that could and is in no string.

    In a string that never ends it is the first that could.
    """
    closing = re.compile(rf"[ \t]*{re.escape(mark[0])}{{{len(mark)},}}[ \t]*")
    could: int | None = None
    quote = ""
    for place in range(start, len(lines)):
        if closing.fullmatch(lines[place]):
            if not quote:
                return place
            could = place if could is None else could
        if is_python:
            quote = _open_string(lines[place], quote)
    return len(lines) if could is None or not quote else could


def _open_string(line: str, quote: str) -> str:
    """The quotes of the triple-quoted string that is open after the line; `quote` is that before it."""
    place = 0
    while True:
        if quote:
            end = re.compile(rf"(?:\\.|\\$|(?!{quote})[^\\])*{quote}").match(line, place)
            if end is None:
                return quote
            place, quote = end.end(), ""
        found = _STRING_OR_COMMENT.search(line, place)
        if found is None:
            return ""
        place = found.end()
        if found[0] in ('"""', "'''"):
            quote = found[0]


def _chosen(blocks: list[_Block], names: Sequence[str]) -> str:
    blocks = [block for block in blocks if block.code.strip()]
    blocks = [block for block in blocks if block.language in _PYTHON] or blocks
    if not blocks:
        return ""
    counts = [_how_many_defined(block.code, names) for block in blocks]
    if any(counts):
        place = max(range(len(blocks)), key=lambda at: (counts[at] > 0, blocks[at].closed, counts[at], at))
    else:
        place = max(range(len(blocks)), key=lambda at: len(blocks[at].code))
    code = blocks[place].code
    for at in reversed(range(place)):
        if not counts[at] and _defined(blocks[at].code) & _missing(code):
            code = f"{blocks[at].code}\n{code}"
    return code


def _bare(text: str, is_body: bool) -> str:
    """The code in an answer without blocks: all of it, or from the first line of code to where the prose goes on."""
    lines = text.split("\n")
    if len(text) > _MOST_PARSED or _wrong_line(text, is_body) is None:
        return text
    begins = [place for place, line in enumerate(lines) if _CODE_LINE.match(line)]
    begins = begins or [place for place, line in enumerate(lines) if _INDENTED_LINE.match(line)]
    if not begins:
        return text
    lines = lines[begins[0] :]
    end = len(lines)
    for _ in range(_MOST_TRIES):
        wrong = _wrong_line("\n".join(lines[:end]), is_body)
        if wrong is None:
            return "\n".join(lines[:end])
        # Prose begins in the first column, and at the wrong line or before it.
        columns = [at for at in range(1, min(end, wrong)) if lines[at] and not lines[at][0].isspace()]
        if not columns or _CODE_LINE.match(lines[columns[-1]]):
            break  # it is the code that is wrong, or unfinished
        end = columns[-1]
    return "\n".join(lines)


def _behind(prompt: str, code: str, names: Sequence[str]) -> str:
    """The code made to stand behind the prompt."""
    head, start = prompt.strip(), code.lstrip("\n")
    if head and start.startswith(head):
        return start.removeprefix(head)
    code = _FUTURE.sub("", code)  # it may stand at a program's beginning only
    if not code.strip():
        return code
    if _how_many_defined(code, names):
        whole = (plug for plug in _PLUGS if _parsed(prompt.rstrip() + plug) is not None)
        return f"{next(whole, '')}\n{code}"
    first = next(line for line in code.split("\n") if line.strip())
    given = first[: len(first) - len(first.lstrip())]
    if not given and not _returns_at_top(code):
        return f"\n{code}"
    wanted = _body_indentation(prompt)
    lines = code.split("\n")
    moved = [wanted + line[len(given) :] if line.strip() and line.startswith(given) else line for line in lines]
    return "\n" + "\n".join(moved)


def _body_indentation(prompt: str) -> str:
    last = prompt.rstrip().rpartition("\n")[2]
    indentation = last[: len(last) - len(last.lstrip())]
    return indentation + "    " if last.endswith(":") else indentation


def _returns_at_top(code: str) -> bool:
    """Whether it returns outside of any function, as only a body does."""
    tree = _parsed(code)
    waiting: list[ast.AST] = [] if tree is None else [tree]
    while waiting:
        for node in ast.iter_child_nodes(waiting.pop()):
            if isinstance(node, ast.Return):
                return True
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
                waiting.append(node)
    return False


def _how_many_defined(code: str, names: Sequence[str]) -> int:
    """How many of the names the code defines at its top level, even if it is no Python."""
    defined = _defined(code)
    return sum(
        name in defined or re.search(rf"^(?:async +def|def|class) +{re.escape(name)}\b", code, re.MULTILINE) is not None
        for name in names
        if name
    )


def _defined(code: str) -> set[str]:
    """The names that the code gives a value at its top level; none if it is no Python."""
    tree = _parsed(code)
    names: set[str] = set()
    for node in [] if tree is None else tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def _missing(code: str) -> set[str]:
    """The names that the code uses and never gives a value."""
    tree = _parsed(code)
    used: set[str] = set()
    bound = set(dir(builtins)) | _defined(code)
    for node in [] if tree is None else ast.walk(tree):
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
    return used - bound


def _wrong_line(text: str, is_body: bool) -> int | None:
    """The line, from 1, at which it is no code any more; None where it is code."""
    source = f"def _():\n{text}" if is_body and text.lstrip("\n")[:1].isspace() else text
    try:
        _parse(source)
    except SyntaxError as error:
        return (error.lineno or 1) - (source is not text)
    except (ValueError, RecursionError, MemoryError):
        return 0
    return None


def _parsed(source: str) -> ast.Module | None:
    try:
        return _parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _parse(source: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd escapes, which are the answer's
        return ast.parse(source)
