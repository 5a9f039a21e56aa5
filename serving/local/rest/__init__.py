"""TensorFlow Serving's REST API: HTTP by Tornado, JSON by the standard library.

A request passes through `http_server` (connections, limits) -> `request` (head and body) ->
`rest_api` (path to call, error to status) -> `json_bodies` -> the data plane of
`serving.local.inference` -> `json_replies`. Only `serving.local.server` imports this package.
"""
