"""REST as TensorFlow Serving speaks it: HTTP by Tornado, JSON by the standard library.

The way of a request: `http_server` (connections, limits, one exchange each) -> `request` (head and
body) -> `rest_api` (path to call, error to status) -> `json_bodies` -> the data plane of
`serving.local.inference` -> `json_replies`. Only `serving.local.server` imports this room.
"""
