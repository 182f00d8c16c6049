"""Leaves out what a model thinks aloud: the text between `<think>` and `</think>`, and other tags of the kind.

Servers that know the model's template put its thoughts into a field of their own; others leave the tags in the answer,
where they would be spoken.
"""

import re
from typing import Final

_TAG: Final = re.compile(r"<(/?)(think|thinking|thought)>|\[(/?)(think)\]", re.IGNORECASE)
_TAGS: Final = tuple(
    f"{start}{name}{end}"
    for start, names, end in (("<", ("think", "thinking", "thought"), ">"), ("[", ("think",), "]"))
    for name in (*names, *(f"/{name}" for name in names))
)


class ThoughtFilter:
    """Passes on one answer without its thoughts. Text may be cut anywhere, also within a tag.

    A thought that is never closed lasts to the end. A closing tag alone ends a thought that the template began for the
    model: what stands before it is left out as far as it has not been passed on.
    """

    def __init__(self) -> None:
        self._held = ""  # what may be the beginning of a tag
        self._blank = ""  # white space before the answer
        self._closing = ""  # the tag that ends the thought; empty outside one
        self._has_thought = False
        self._has_shown = False  # whether anything but white space was passed on

    def feed(self, text: str) -> str:
        """Return what of the text is meant for the listener, as far as that can be told."""
        if not (self._held or self._closing or "<" in text or "[" in text):
            return self._shown(text)
        text, self._held = self._held + text, ""
        shown: list[str] = []
        position = 0
        for tag in _TAG.finditer(text):
            if self._closing:
                if tag[0].lower() == self._closing:
                    self._closing, position = "", tag.end()
                continue
            is_closing = bool(tag[1] or tag[3])
            if not is_closing:
                shown.append(text[position : tag.start()])
                self._closing = f"{tag[0][0]}/{tag[0][1:].lower()}"
            elif self._has_shown:
                shown.append(text[position : tag.start()])
            else:
                shown.clear()
            self._has_thought, position = True, tag.end()
        return self._shown("".join(shown) + self._rest(text[position:]))

    def finish(self) -> str:
        """Return what was held back and is no tag after all."""
        held, self._held = self._held, ""
        return "" if self._closing else self._shown(held)

    def _rest(self, text: str) -> str:
        """Hold back what may be the beginning of a tag, and return what is shown of the rest."""
        start = max(text.rfind("<"), text.rfind("["))
        if start >= 0 and any(tag.startswith(text[start:].lower()) for tag in _TAGS):
            self._held, text = text[start:], text[:start]
        return "" if self._closing else text

    def _shown(self, text: str) -> str:
        """Hold back white space before the answer: between a thought and the answer it belongs to neither."""
        if self._has_shown:
            return text
        text, self._blank = self._blank + text, ""
        if not text.strip():
            self._blank = text
            return ""
        self._has_shown = True
        return text.lstrip() if self._has_thought else text
