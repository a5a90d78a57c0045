"""Files that everybody may read and only their owner changes, whatever the umask; symbolic links are never followed."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import IO

from kemu.base.errors import StateError


def make_directory(path: Path) -> None:
    """Make a directory, or see that it is one of ours. Raises StateError if somebody else could change what is in it."""
    try:
        path.mkdir(mode=0o755)
        path.chmod(0o755)
    except FileExistsError:
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise StateError(
                f"{path} is not kemu's: it must be a directory of its own that nobody else can change",
                hint=f"see who made it: ls -ld {path}",
            ) from None


def replace(path: Path, text: str) -> None:
    """Put a text in the place of a file, as a whole: a reader sees the old one or the new one."""
    temporary = path.with_name(f"{path.name}.new")
    with os.fdopen(_open(temporary, os.O_TRUNC), "w") as file:
        file.write(text)
    temporary.replace(path)


def refill(path: Path, text: str) -> None:
    """Change a file in its place, for whoever has it mounted over another."""
    data = text.encode()
    descriptor = _open(path, 0)
    try:
        os.write(descriptor, data)
        os.truncate(descriptor, len(data))
    finally:
        os.close(descriptor)


def append(path: Path, text: str) -> None:
    """Add a text to the end of a file."""
    with os.fdopen(_open(path, os.O_APPEND), "w") as file:
        file.write(text)


def open_log(path: Path) -> IO[bytes]:
    """Return a file that everybody reads, to go on writing."""
    return os.fdopen(_open(path, os.O_APPEND), "ab")


def _open(path: Path, how: int) -> int:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | how, 0o644)
    os.fchmod(descriptor, 0o644)
    return descriptor
