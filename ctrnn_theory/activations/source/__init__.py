"""Functions made of Python source, which the symbolic room writes and ``builtin.json`` holds.

arrays
    Functions of NumPy arrays.
compiled, lane_functions
    Compiled functions of a block of lanes, and the functions of one lane that they call.
extended_range_numbers
    Arithmetic of numbers of unbounded exponent, for arrays and for lanes.

All of it is private to the package, and imports no SymPy.
"""
