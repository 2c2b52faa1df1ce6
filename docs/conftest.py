"""What of this folder is no test: the settings of the site, which need Sphinx, and what its build writes."""

collect_ignore = ["conf.py", "_build", "api", "gallery"]
