"""The demo: feed, watch, show, and check what came out."""
