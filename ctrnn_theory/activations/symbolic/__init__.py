"""What follows from the expression of an activation function.

parse, printing
    From text to SymPy through a whitelist, and back.
branches
    Which branch of an expression is active where.
pieces
    The smooth pieces of an expression, and the jumps between them.
roots
    Real roots of an expression, where its branches change.
bounds, intervals, interval_source
    Bounds over intervals, by interval arithmetic, which needs no SymPy but for its source.
stable_forms
    Forms that neither overflow nor cancel, and their derivatives.
evaluate
    Expressions as functions of NumPy arrays and of mpmath numbers.
extended_range
    Evaluation in numbers of unbounded exponent.
precision_check
    Whether double precision evaluates an expression right.
build
    The activation of a text or an expression.
builtin_data
    What the file of the built-in activations holds.

All of it is private to the package.
"""
