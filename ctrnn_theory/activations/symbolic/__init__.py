"""What follows from the expression of an activation function.

parse, printing
    From text to SymPy through a whitelist, and back.
branches
    Which branch of an expression is active where.
pieces
    The smooth pieces of an expression, and the jumps between them.
roots
    Real roots of an expression, where its branches change.
bounds
    Bounds over intervals, by interval arithmetic.
shape_features
    Where a piece bends most, and its slope at infinity.
stable_forms
    Forms that neither overflow nor cancel, and their derivatives.
evaluate
    Expressions as functions of NumPy arrays and of mpmath numbers.
extended_range, extended_range_numbers
    Evaluation in numbers of unbounded exponent, and their arithmetic.
precision_check
    Whether double precision evaluates an expression right.
compiled, lane_functions
    Expressions as compiled functions of a block of lanes, and the functions of one lane that they call.

All of it is private to the package.
"""
