"""Teaching: a version learns new photos without those that it was trained on.

Start with `teach`. `lessons` is what it learns from, `changes` what was gained and lost,
`trust` which answers count as sure.
"""
