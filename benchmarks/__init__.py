"""What the product does per second, on the machine it runs on: `python -m benchmarks`, or `make bench`."""
