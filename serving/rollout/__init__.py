"""`python -m serving rollout`: tries, promotes and rolls back versions, with no failed request.

Works with TensorFlow Serving and with the local model server, one server or many. From outside to
inside: `cli` and `arguments` (the command line), `commands` and `publish` (each command as named
steps; the steps before a version serves are in `loading`), `watch` (acts on the verdicts of
`analysis`), `report` (the output of `status`), `steps` (runs commands, and undoes them), `checks`
(conditions for a change), `state` (the files), `remote` (the running tiers).
"""
