"""From the bytes of a picture to uint8 [224,224,3] for the classifier, [448,448,3] for the counter.

Start with `preprocessing`, the one definition, which training shares; `header` and `upright` are
its parts. What a file would cost is told by `cost`, `jpeg` and `tiff`; `metadata` spares what
nobody needs of it. Innermost: imports no other room. The front end runs it in the processes of
`webapp.decoding`.
"""
