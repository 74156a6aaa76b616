"""Runs random schedules and prints a line for each.

    python -m tests.e2e.chaos [--schedules 20] [--seed N] [--keep DIRECTORY] [--quiet]

The seeds are printed; with --seed they are N, N + 1, ... Set-ups (where cells and jobs are) take turns by the seed. Ends
with status 1 where a schedule did not pass; its logs stay then.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import traceback
from pathlib import Path

from tests.e2e.chaos.schedule import Laboratory, Setup


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.chaos", description="Random schedules of harm.")
    parser.add_argument("--schedules", type=int, default=20)
    parser.add_argument("--seed", type=int, help="the first one; default: a random one")
    parser.add_argument("--keep", type=Path, help="where logs go; default: a new directory in /tmp")
    parser.add_argument("--quiet", action="store_true", help="one line for each schedule only")
    arguments = parser.parse_args()
    first = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(10**6)
    directory = arguments.keep or Path(tempfile.mkdtemp(prefix="codesieve-chaos-", dir="/tmp"))
    for number in (signal.SIGINT, signal.SIGTERM):  # what was started is stopped, also in the background of a shell
        signal.signal(number, signal.default_int_handler)
    failed = 0
    with Laboratory(directory, (lambda line: None) if arguments.quiet else say) as laboratory:
        for seed in range(first, first + arguments.schedules):
            setup = Setup.of(seed)
            if not arguments.quiet:
                say(f"seed {seed}: {setup}")
            try:
                seconds = laboratory.run(seed, setup)
            except Exception as error:  # noqa: BLE001 - whatever it is, the next schedule comes
                failed += 1
                (directory / f"seed{seed}" / "error").write_text(traceback.format_exc())
                say(
                    f"seed {seed} ({setup}): FAILED: {type(error).__name__}: {str(error)[:2000]}; see {directory}/seed{seed}"
                )
            else:
                say(f"seed {seed} ({setup}): passed in {seconds:.0f} s")
    say(f"{arguments.schedules - failed} of {arguments.schedules} schedules passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
