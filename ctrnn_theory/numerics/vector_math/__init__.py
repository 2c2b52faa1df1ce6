"""Elementary functions for blocks of lanes, compiled so that their loops vectorise."""
