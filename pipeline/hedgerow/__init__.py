"""Hedgerow: who claims what, how certainly, on what evidence, across biomedical documents.

import hedgerow

tables = hedgerow.extract(["Aspirin may reduce the risk of stroke."])
tables.claims()                              # a pandas DataFrame
hedgerow.open("outputs").conflicts()         # of the latest snapshot
"""

from __future__ import annotations

from importlib.metadata import version

__version__ = version("hedgerow")

from hedgerow.api import TableSet, extract, open

__all__ = ["TableSet", "__version__", "extract", "open"]
