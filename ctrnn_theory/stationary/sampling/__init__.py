"""The parts of the method "simulation": the plan of a run, control variates, checks. They are private to methods."""
