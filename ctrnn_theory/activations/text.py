"""Limits on the text of an activation, and the error for a text that breaks a rule."""

from __future__ import annotations

MAX_LENGTH = 1000  # characters of a text, as typed and as written out
SMOOTHED_AS = "smoothed(relu, 0.5)"  # how a smoothed activation is written, for messages


def refuse(rule: str, value: object) -> ValueError:
    """Return the error for a text that breaks `rule`: one sentence, with the value cut to a readable length."""
    text = repr(str(value)[:80])
    return ValueError(f"activation {rule}; got {text if len(text) <= 60 else text[:56] + '...' + text[0]}")
