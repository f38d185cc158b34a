"""Grafana dashboards, written down once: `python -m dashboards` makes conf/monitoring/grafana from them."""
