"""What the tests of run folders share."""

import json

from ctrnn_theory.support.checksums import write_json


def rewritten(change):
    """Return what replaces the record of a run by a whole one of other content."""

    def act(run):
        content = json.loads((run / "run.json").read_bytes())
        change(content)
        write_json(run / "run.json", content)

    return act
