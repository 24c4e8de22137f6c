"""What several test folders share; nothing here is part of the package."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
