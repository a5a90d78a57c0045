"""What the common options of this process's command line said."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Settings:
    """What the common options said. `own_failure` is the exit code of a verb whose other codes are somebody else's."""

    cluster: str | None = None
    namespace: str = "default"
    namespace_given: bool = False
    output: str = "table"
    quiet: bool = False
    verbose: bool = False
    debug: bool = False
    own_failure: int = 0


#: One process runs one command line.
SETTINGS = Settings()
