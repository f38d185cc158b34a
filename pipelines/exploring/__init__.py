"""What notebooks need of the suite: to look, never to write."""
