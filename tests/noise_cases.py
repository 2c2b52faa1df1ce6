"""Stationary laws under other kinds of noise and of other networks, by solvers that are independent of the package.

Those of one neuron come from the Poisson equation or the density of the map and are exact; the others come from long
simulations, whose standard errors are given.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise


class NoiseCase(NamedTuple):
    """A network under noise, and its law."""

    name: str
    net: CTRNN
    noise: Noise
    mean: Any
    """Mean (N,)."""
    covariance: Any
    """Covariance (N, N)."""
    mean_error: Any = 0.0
    """Standard error of the mean, (N,); 0 where it is exact."""
    covariance_error: Any = 0.0
    """Standard error of the covariance, (N, N)."""
    rates: Any = None
    """Mean rates E f(v) of a voltage network, (N,), where they are known."""
    rates_error: Any = 0.0
    """Their standard error, (N,)."""


def one(name: str, net: CTRNN, noise: Noise, mean: float, sd: float) -> NoiseCase:
    """Return a case of one neuron, which is exact."""
    return NoiseCase(name, net, noise, np.array([mean]), np.array([[sd**2]]))


PAIR = [[0.3, -0.6], [0.5, 0.3]]
TRIPLE = [[0.3, -0.6, 0.2], [0.5, 0.3, -0.4], [-0.2, 0.4, 0.1]]

NOISE_CASES = [
    one(
        "coloured inside",
        CTRNN.single(-0.7, 0.3, "tanh", 0.3),
        Noise(0.6, rho_inside=0.7),
        0.1557672273909285,
        0.2534204949052375,
    ),
    one(
        "dropout",
        CTRNN.single(-0.8, 0.1, "relu", 0.3),
        Noise.dropout(0.6, outside=0.3),
        0.06434825887550442,
        0.10975681947427146,
    ),
    one(
        "gain outside",
        CTRNN.single(0.4, 0.03, "relu", 0.2),
        Noise(outside=0.3, gain_outside=0.6),
        0.05555187463895002,
        0.1229337020819237,
    ),
    one(
        "gain inside",
        CTRNN.single(-0.8, 0.5, "tanh", 0.25),
        Noise(0.4, gain_inside=0.6),
        0.24980903245561942,
        0.1118585510585439,
    ),
    one("power", CTRNN.single(-0.7, 0.3, "0.8*relu(x)**2", 0.2), Noise(0.4), 0.1363914779336349, 0.06697322616593265),
    one(
        "voltage",
        CTRNN([[-0.7]], 0.5, "softplus", 0.2, form="voltage"),
        Noise(0.6, 0.5),
        -0.012951419601589506,
        0.1591804230456405,
    ),
    NoiseCase(
        "white and coloured",
        CTRNN(PAIR, [0.4, 0.3], "tanh", 0.3),
        Noise([0.5, 0.4], 0.2, rho_inside=[0.6, 0.3]),
        [0.1630717238510867, 0.40742721970273804],
        [[0.09661171051678359, 0.01329571433795764], [0.01329571433795764, 0.047538574085954605]],
        [2.5262105424423877e-05, 2.3325542368796746e-05],
        [[6.519490279965966e-05, 3.335546161999416e-05], [3.335546161999416e-05, 3.068962714125837e-05]],
    ),
    NoiseCase(
        "unlike neurons",
        CTRNN(PAIR, [0.4, 0.3], ["tanh", "relu(1.5*(x - 0.1)) + 0.05"], [0.5, 0.2]),
        Noise([0.4, 0.3]),
        [-0.005771779350129321, 0.6750103842054819],
        [[0.055970103609044565, -0.004355502128564525], [-0.004355502128564525, 0.02981987451169544]],
        [1.4626139217992295e-05, 2.0475919185718903e-05],
        [[2.5253304835982113e-05, 1.3099338251655051e-05], [1.3099338251655056e-05, 1.9911827014293222e-05]],
    ),
    NoiseCase(
        "private and common gain",
        CTRNN(PAIR, [0.2, 0.3], "relu", 0.25),
        Noise(outside=0.2, gain_outside=0.4, common_gain_outside=0.5),
        [0.015261605250216054, 0.4394722746726008],
        [[0.006567463840456142, 8.361717056354114e-05], [8.361717056354114e-05, 0.025542025082092624]],
        [9.648975593852369e-06, 6.8841467038237755e-06],
        [[4.219822284064187e-06, 5.426578214956763e-06], [5.426578214956763e-06, 1.6726555895272236e-05]],
    ),
    NoiseCase(
        "voltage and coloured",
        CTRNN([[0.6, -0.8], [0.9, -0.3]], [0.7, 0.4], "0.4*relu(x)**2", [0.2, 0.4], form="voltage"),
        Noise(outside=0.3, rho_outside=0.8),
        [0.7194185293988355, 0.5657977902418695],
        [[0.06954555277638183, 0.01749077702266755], [0.01749077702266755, 0.05969572234691993]],
        [2.0272761933997732e-05, 2.845079489395397e-05],
        [[6.89649794610869e-05, 5.040073501212363e-05], [5.040073501212363e-05, 5.5166487150741506e-05]],
        [0.23483807969632758, 0.15185662085060742],
        [3.3934617574133845e-05, 2.0720074683490513e-05],
    ),
    NoiseCase(
        "voltage of three",
        CTRNN(TRIPLE, [0.4, 0.3, 0.2], "relu", 0.3, form="voltage"),
        Noise(0.3, [0.2, 0.3, 0.4]),
        [0.2972959870561651, 0.45066467969983953, 0.3588439899714691],
        [
            [0.021735491078794494, -0.005649008536358159, -0.00522328060772629],
            [-0.005649008536358159, 0.02866359075904136, -0.0013319626677287398],
            [-0.00522328060772629, -0.0013319626677287398, 0.03462709764241766],
        ],
        [1.183886886109504e-05, 1.552113212551344e-05, 7.6030386789937854e-06],
        [
            [1.2682070396614639e-05, 1.065042443890404e-05, 1.2733345176634032e-05],
            [1.065042443890404e-05, 1.9306911807702998e-05, 1.0928035585488016e-05],
            [1.2733345176634032e-05, 1.0928035585488016e-05, 2.205752671951822e-05],
        ],
        [0.2985427321603051, 0.4508336436763028, 0.3606841247993052],
        [1.1993191710876763e-05, 1.5395200879009178e-05, 9.443923270320576e-06],
    ),
]
