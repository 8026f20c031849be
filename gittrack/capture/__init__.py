"""Facts about this process: command, author, environment, hardware, CI job, container, seeds, system metrics.

A fact that cannot be known is left out; it never stops a run. Nothing here talks to the network or starts a program,
and nothing that looks like a secret leaves it: every free text passes :mod:`gittrack.capture.redaction`.
"""

from __future__ import annotations
