"""What benchmarks/quality.py compares: plain references, the field's libraries, and our own rankers."""
