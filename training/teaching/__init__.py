"""Teaching: a version learns new photos without its original training photos.

Start with `teach`. `lessons` makes the batches to learn from, `changes` lists gains and losses,
`trust` decides which answers count as sure.
"""
