"""What the running tiers say: the model servers' states, the front ends' metrics.

`server` is one model server; `servers` asks all of a site, `fleet` tells them too, and `waiting` is
what a wait for several knows.
`figures` says what is counted, `front_ends` and `prometheus` where from. `addresses` finds both
tiers.
"""
