"""From the bytes of a picture to the uint8 tensor [224,224,3] that the model takes.

`preprocessing` is the one definition, which training shares; `cost`, `jpeg`, `tiff` and `metadata`
say what a file would cost and spare what it need not. `decode_pool` runs it in processes of their
own (`decode_process` from outside, `decode_worker` inside), which may do nothing else (`sandbox`)
and are talked to in `messages`, so that a hostile file ends a worker and not the front end. Imports
no other room; `training` may import `preprocessing` and nothing else of `webapp`.
"""
