"""Batch re-enrollment of Keyfactor Command certificate stores.

The command line is ``batch-reenroll``; README.md says what it is for, DESIGN.md how it
is built and why.
"""

__version__ = "0.1.0"
