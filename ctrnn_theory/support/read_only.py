"""Read-only arrays of frozen dataclasses."""

from __future__ import annotations

from typing import Any

import numpy as np


class ReadOnly:
    """Keeps read-only arrays of a frozen dataclass read-only when it is copied or unpickled."""

    def __getstate__(self) -> tuple[dict[str, Any], list[str]]:
        state = vars(self)
        arrays = [name for name, value in state.items() if isinstance(value, np.ndarray)]
        return state, [name for name in arrays if not state[name].flags.writeable]

    def __setstate__(self, saved: tuple[dict[str, Any], list[str]]) -> None:
        state, read_only = saved
        vars(self).update(state)
        for name in read_only:
            state[name].setflags(write=False)
