"""From the bytes of a picture to uint8 [224,224,3] for the classifier, [448,448,3] for the counter.

Start with `preprocessing`, the only definition of preprocessing, which training shares; `header`
and `upright` are its parts. `cost`, `jpeg` and `tiff` estimate the cost of decoding a file;
`metadata` removes metadata that decoding does not need. Innermost: imports no other package. The
front end runs this package in the processes of `webapp.decoding`.
"""
