"""What gittrack needs of git, and the only package that knows pygit2 or runs the ``git`` program.

Import the modules, not this package: pygit2 costs more to load than most commands cost to run, so each module
imports it inside the functions that need it.
"""
