"""What the running tiers say: the model servers' states, the front ends' metrics.

`fleet` is all model servers as one, `server` one of them, `waiting` what a wait for several knows.
`figures` says what is counted, `front_ends` and `prometheus` where from. `addresses` finds both
tiers.
"""
