"""The README's picture of a report: ``make pictures`` makes ``report.png`` beside this file.

A run of the small real model is made, reported and shown in Chromium by the project's own commands; ``make pictures
RUN=DIR`` takes a run that is there already. The picture is the top of the page, in few colours, which makes it small.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent
SIZE = (900, 1300)
COLOURS = 128
RUN = "run humaneval --model smollm2 --limit 40 -n 10 -t 0.2 -t 0.8 -k 1,10 --max-tokens 128 --seed 1"
"""Some of the first 40 problems are solved now and then. Some minutes on 2 cores."""


def codesieve(*arguments: str) -> None:
    command = [sys.executable, "-c", "from codesieve.client.cli import main; main()", *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "CODESIEVE_SERVER": ""})


def main(run: str | None) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("there is no chromium command; apt-get install chromium")
    with tempfile.TemporaryDirectory() as made:
        where = Path(made)
        if run is None:
            codesieve(*RUN.split(), "--out", f"{made}/run")
        codesieve("report", run or f"{made}/run", "--out", f"{made}/report")
        flags = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            f"--user-data-dir={made}/profile",
        ]
        flags += [f"--window-size={SIZE[0]},{SIZE[1]}", f"--screenshot={made}/page.png"]
        page = (where / "report/report.html").as_uri()
        subprocess.run([chromium, *flags, page], check=True, capture_output=True)
        with Image.open(where / "page.png") as picture:
            few = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        few.save(HERE / "report.png", optimize=True)
    print(f"wrote {HERE / 'report.png'}")  # noqa: T201 - it is a command


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
