"""Lets the tests here import the modules beside them, and keeps pytest away from the corpus, which it would run."""

from __future__ import annotations

import sys
from pathlib import Path

collect_ignore = ["corpus"]

sys.path.insert(0, str(Path(__file__).parent))
