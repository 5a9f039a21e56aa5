"""The counter: finds the bills in a picture, classifies each bill, and adds up their values.

Start with `fit`, then `scenes` (the training pictures), `detector` and `graph`. The counter imports
`augmentation`, `data`, `network` and `export` of the classifier; only the commands import the
counter.
"""
