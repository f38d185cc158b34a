"""Liveshelf: what the jobs do. One room per stage; `docs/architecture.md` has the map."""

__version__ = "0.1.0"
