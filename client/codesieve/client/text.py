"""Text that a program, a model or a server had a hand in, made safe to look at.

A terminal obeys control characters, and a page may be read in another order than it was written in.
"""

from __future__ import annotations

import re

# C0 but for newline and tab, DEL, C1, what changes the direction or the lines of text unseen, what has no width, lone
# surrogates, and code points that are no characters.
_HOSTILE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb"
    "\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f]"
)


def printable(text: str) -> str:
    """The text with every character that a terminal might obey written as its escape."""
    return _HOSTILE.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode("ascii"), text)
