"""Access to the running tiers: the model servers' states, the front ends' metrics.

`server` is one model server. `servers` queries all servers of a site, `fleet` also configures them,
and `waiting` is the state of a wait for several servers. `figures` defines the counts, and `source`
who is asked for them: `front_ends` or `prometheus`. `addresses` finds the processes of both tiers.
"""
