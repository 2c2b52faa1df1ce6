"""Fixed points of the Gaussian closure for other kinds of noise and network, by a solver independent of the package."""

from typing import NamedTuple

from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise

PAIR = [[0.3, -0.6], [0.5, 0.3]]
TRIPLE = [[0.3, -0.6, 0.2], [0.5, 0.3, -0.4], [-0.2, 0.4, 0.1]]
SQUARE = "0.4*Max(0, x)**2"


class NoiseCase(NamedTuple):
    """A network, its noise, and what the closure gives."""

    name: str
    net: CTRNN
    noise: Noise
    mean: list[float]
    covariance: list[list[float]]


NOISE_CASES = [
    NoiseCase(
        "coloured inside",
        CTRNN.single(-0.7, 0.3, "tanh", 0.3),
        Noise(inside=0.6, rho_inside=0.7),
        [0.1560045736374399],
        [[0.06438798261924697]],
    ),
    NoiseCase(
        "coloured inside, two neurons",
        CTRNN(PAIR, [0.4, 0.3], "tanh", 0.3),
        Noise(inside=[0.5, 0.4], rho_inside=[0.6, 0.3], outside=0.2),
        [0.1628747417888818, 0.4072670186437627],
        [[0.09560277305871728, 0.012866029002938244], [0.012866029002938274, 0.04664693946382796]],
    ),
    NoiseCase(
        "neurons that differ",
        CTRNN(PAIR, [0.4, 0.3], ["tanh", "relu(1.5*(x - 0.1)) + 0.05"], [0.5, 0.2]),
        Noise(inside=[0.4, 0.3]),
        [-0.005837077642144418, 0.6749847856607968],
        [[0.05591760625607839, -0.004332779101498039], [-0.004332779101498039, 0.02969087180067745]],
    ),
    NoiseCase(
        "dropout",
        CTRNN.single(-0.8, 0.1, "relu", 0.3),
        Noise.dropout(0.6, outside=0.3),
        [0.06444871252328715],
        [[0.012046057652734206]],
    ),
    NoiseCase(
        "multiplicative outside",
        CTRNN.single(0.4, 0.03, "relu", 0.2),
        Noise(outside=0.3, gain_outside=0.6),
        [0.05593612036303188],
        [[0.014971230979703954]],
    ),
    NoiseCase(
        "multiplicative inside",
        CTRNN.single(-0.8, 0.5, "tanh", 0.25),
        Noise(inside=0.4, gain_inside=0.6),
        [0.2498415287436243],
        [[0.01247551135534755]],
    ),
    NoiseCase(
        "private and common multiplicative outside",
        CTRNN(PAIR, [0.2, 0.3], "relu", 0.25),
        Noise(outside=0.2, gain_outside=0.4, common_gain_outside=0.5),
        [0.016793911157307263, 0.44056707939808076],
        [[0.006541364375101771, -0.00035699805491599084], [-0.00035699805491599555, 0.02534562864573845]],
    ),
    NoiseCase(
        "power law",
        CTRNN.single(-0.7, 0.3, "0.8*Max(0, x)**2", 0.2),
        Noise(inside=0.4),
        [0.13640130731768632],
        [[0.004426439051936219]],
    ),
    NoiseCase(
        "power law, voltage form, coloured outside",
        CTRNN([[0.6, -0.8], [0.9, -0.3]], [0.7, 0.4], SQUARE, [0.2, 0.4], form="voltage"),
        Noise(outside=0.3, rho_outside=0.8),
        [0.7198752285119173, 0.5661584756932014],
        [[0.06961502797984331, 0.016647568694634098], [0.01664756869463451, 0.05831894764024964]],
    ),
    NoiseCase(
        "voltage form",
        CTRNN([[-0.7]], [0.5], "softplus", 0.2, form="voltage"),
        Noise(inside=0.6, outside=0.5),
        [-0.012951392336289103],
        [[0.025337922770510383]],
    ),
    NoiseCase(
        "voltage form, three neurons",
        CTRNN(TRIPLE, [0.4, 0.3, 0.2], "relu", 0.3, form="voltage"),
        Noise(inside=0.3, outside=[0.2, 0.3, 0.4]),
        [0.29730362493250234, 0.4506390464040356, 0.3588441022939226],
        [
            [0.021729715335253988, -0.005616090985196058, -0.005203642318944474],
            [-0.005616090985196059, 0.028613501601312902, -0.0013590111278849832],
            [-0.0052036423189444694, -0.0013590111278849824, 0.03461884098533312],
        ],
    ),
]
