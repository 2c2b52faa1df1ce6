"""Seconds of one core until the mean of a neuron with noise inside has a given standard error."""

from benchmarks.peers import with_numpy
from benchmarks.processes import tell
from benchmarks.simulation import ACTIVATIONS, BOUND, measure, reference_case, works
from ctrnn_theory import CTRNN, Noise, predict

TARGET, ROUGH_TARGET = 1e-5, 1e-4
UNLIMITED = 10**9


def report(quick: bool) -> list[dict[str, object]]:
    """Measure the package, check its mean, and extrapolate NumPy's seconds from its speed and the plain variance."""
    target = ROUGH_TARGET if quick else TARGET
    alone = {work.activation: work for work in works("inside", quick) if work.n == 1}
    found = []
    for name in ACTIVATIONS:
        case = reference_case(name, "inside")
        net, noise = CTRNN.single(case.w, case.b, name, case.gamma), Noise(case.sigma)
        row: dict[str, object] = {"activation": name, "target": target}
        for label, control in (("ours, plain", False), ("ours", True)):
            tell(f"{name}, {label}")
            law = predict(
                net,
                noise,
                method="simulation",
                target_se=target,
                max_steps=UNLIMITED,
                rng=1,
                workers=1,
                control_variate=control,
            )
            if not (law.converged and abs(law.mean[0] - case.mean) < BOUND * law.standard_error[0]):
                raise ArithmeticError(f"{name}, {label}: {law.mean[0]:.7f}, not {case.mean:.7f}; {law.message}")
            row[label] = law.seconds
            if not control:
                steps = law.details["trajectories"] * law.details["steps"]
                needed = steps * (law.details["plain_standard_error"][0] / target) ** 2
        row["numpy"] = 1e-9 * needed * measure(alone[name], with_numpy.prepare(alone[name]))["ns"]
        row["neuron_steps"] = needed
        found.append(row)
    return found
