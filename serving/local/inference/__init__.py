"""The requests to a model, independent of the protocol: predict, classify, regress, metadata.

Start with `dataplane`. `loader` loads a version from its folder and replays the requests that are
recorded there. `rest` and `grpc` import this package; it imports `lifecycle` and `runtime`.
"""
