"""`python -m serving rollout`: try, promote and take back versions, with no failed request.

It talks to TensorFlow Serving and to the local model server alike, one or many of them. From
outside to inside: `cli` and `arguments` (the command line), `commands` and `publish` (each command
as named steps; those before a version serves are in `loading`), `watch` (acts on what `analysis`
proves of a canary), `report` (what `status` shows), `steps` (runs commands, and undoes), `checks`
(what must hold before), `state` (the files), `remote` (the running tiers).
"""
