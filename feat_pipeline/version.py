"""The version of the program, beside what needs it: results, the help, lists of backends."""

__version__ = "0.1.0"
