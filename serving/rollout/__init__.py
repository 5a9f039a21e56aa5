"""`python -m serving rollout`: try, promote and take back versions, with no failed request.

It talks to TensorFlow Serving and to the local model server alike, one or many of them. From
outside to inside: `cli` and `arguments` (the command line), `commands` and `publish` (each command
as named steps), `watch`, `status` and `others` (a line about each other model), `guard` and
`sequential` (what a canary must keep to, and when that is proven), `steps` (runs them, and undoes),
`checks` (what must hold before), `deployment` (disk and servers as one), `state` (the files),
`remote` (the running tiers).
"""
