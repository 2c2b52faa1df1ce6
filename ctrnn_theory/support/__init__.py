"""What every room leans on: errors, types, arguments, files, run folders, threads and compiled kernels."""
