"""Files that somebody may read at any moment."""

from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Write the file whole or not at all; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    part.replace(path)
