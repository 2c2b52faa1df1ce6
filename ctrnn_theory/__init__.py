"""Noise in recurrent neural networks, theory first: where does noise move the network, and by how much?

The names below are imported when they are first used, so that importing the package costs little.
"""

import sys
import types

import lazy_loader

__version__ = "0.4.1"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

# lazy-loader guards names shared by modules and functions, of which there are none, by a class of modules that
# joblib and Dask cannot send to their workers
sys.modules[__name__].__class__ = types.ModuleType
