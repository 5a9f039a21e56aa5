"""The counter: finds the bills of a picture, reads each by the classifier, and adds them up.

Start with `fit`, then `scenes` (what it learns from), `detector` and `graph`. Imports
`augmentation`, `data`, `network` and `export` of the classifier; nothing imports it but the
commands.
"""
