"""Starts the agent from byte code: compiling it in its own process would leave megabytes that every fork pays for.

python3 -s -B -m inside.start fd:N|SOCKET UID_BASE        with the directory above inside/ as working directory
"""

from __future__ import annotations

import os
import sys

COMPILED = "/tmp/codesieve-inside"
BEGIN = """
import os, sys
sys.path.insert(0, {place!r})
import inside
from inside import agent
del sys.path[0]
inside.__path__[:] = [{here!r}]  # what is imported later is found where it lies
for name in os.listdir({place!r} + "/inside"):
    os.unlink({place!r} + "/inside/" + name)
os.removedirs({place!r} + "/inside")
agent.main(sys.argv[1:])
"""


def main(arguments: list[str]) -> None:
    import py_compile

    here = os.path.dirname(os.path.abspath(__file__))
    package = os.path.join(COMPILED, "inside")
    os.makedirs(package)
    for name in os.listdir(here):
        if name.endswith(".py"):
            py_compile.compile(os.path.join(here, name), os.path.join(package, name + "c"), doraise=True)
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONHASHSEED": "0"}
    begin = BEGIN.format(place=COMPILED, here=here)
    os.execve(sys.executable, [sys.executable, "-s", "-B", "-c", begin, *arguments], environment)


if __name__ == "__main__":
    main(sys.argv[1:])
