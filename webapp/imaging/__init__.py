"""From the bytes of a picture to uint8 [224,224,3] for the classifier, [448,448,3] for the counter.

`preprocessing` is the one definition, which training shares, with `upright` as a part of it. What a
file would cost is told by `cost`, `jpeg` and `tiff`; `metadata` spares what nobody needs of it.
`decode_pool` runs all that in processes of their own (`decode_process` from outside,
`decode_worker` inside), which may do nothing else (`sandbox`) and are talked to in `messages`, so
that a hostile file ends a worker and not the front end. Imports no other room; `training` may
import `preprocessing` and nothing else of `webapp`.
"""
