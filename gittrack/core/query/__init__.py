"""The query language: texts like ``metrics.acc > 0.9 and params.model = 'rf'``, parsed to a pure expression tree."""
