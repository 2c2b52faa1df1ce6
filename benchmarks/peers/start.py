"""What the first simulation costs: imports, and compiling where the cache on disk is empty."""

import json
import os
import subprocess
import sys
import tempfile

SCRIPT = """
import json, time
marks = [time.perf_counter()]
import ctrnn_theory as ct
marks.append(time.perf_counter())
net, noise = ct.CTRNN.single(0.5, 0.1, "relu"), ct.Noise(0.5)
marks.append(time.perf_counter())
for _ in range(2):
    ct.predict(net, noise, method="simulation", steps=64, workers=1)
    marks.append(time.perf_counter())
names = ("import", "network", "first simulation", "second simulation")
print(json.dumps(dict(zip(names, (b - a for a, b in zip(marks, marks[1:]))))))
"""


def report(quick: bool) -> dict[str, dict[str, float]]:
    """Seconds of each part, in a process with an empty cache and in one after it."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"NUMBA_CACHE_DIR": folder}

        def run() -> dict[str, float]:
            command = [sys.executable, "-c", SCRIPT]
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
            seconds: dict[str, float] = json.loads(done.stdout)
            return seconds

        return {"empty cache": run(), "next process": run()}
