"""What Prometheus makes of the console, and the console of Prometheus: Debian's own programs."""
