"""What can be asked of a model, whatever the protocol: predict, classify, regress, metadata.

Start with `dataplane`. `loader` makes something that runs of a version's folder, `warmup` replays
its recorded requests. `rest` and `grpc` import this room; it imports `lifecycle` and `runtime`.
"""
