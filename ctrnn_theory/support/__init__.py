"""What all other packages use: errors, types, checks of arguments, files, run folders, progress, threads, kernels."""
