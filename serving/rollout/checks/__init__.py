"""What must hold before a version gets requests: it loads, answers, fits in memory.

`validation` runs `check`, which loads the version in a process of its own; `preconditions` are
those of each command; `contract` is what each kind of model must answer; `golden_set` holds photos
whose answer is known.
"""
