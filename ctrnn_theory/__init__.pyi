from . import derive as derive
from . import plotting as plotting
from . import testing as testing
from .activations import Activation as Activation
from .activations import Kink as Kink
from .activations import activation as activation
from .bias_curve import BiasCurve as BiasCurve
from .bias_curve import bias_curve as bias_curve
from .bias_report import BiasReport as BiasReport
from .bias_report import bias as bias
from .integrators import Path as Path
from .integrators import simulate as simulate
from .network import CTRNN as CTRNN
from .network import Noise as Noise
from .stationary import METHODS as METHODS
from .stationary import Divergence as Divergence
from .stationary import NotApplicable as NotApplicable
from .stationary import StationaryLaw as StationaryLaw
from .stationary import predict as predict
from .stationary.fixed_points import FixedPoint as FixedPoint
from .stationary.fixed_points import fixed_points as fixed_points

__version__: str
