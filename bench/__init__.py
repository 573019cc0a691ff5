"""What `make bench` runs: the daemon against a bot with nothing in between. See docs/BENCHMARK.md."""
