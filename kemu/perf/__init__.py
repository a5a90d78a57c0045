"""Floor 6: iperf3 between two namespaces."""
