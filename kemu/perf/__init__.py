"""Floor 6: iperf3 between two namespaces.

`run.measure` makes one measurement with two `worker` processes, `read` turns their reports into a `Run` for each
direction, `summary` condenses many runs. Nothing here knows clusters: a `Side` is a namespace's path and an address.
"""
