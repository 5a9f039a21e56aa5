"""Signatures of versions: prove that the holder of a key signed exactly these files.

The format is OpenSSF Model Signing 1.0, so other tools can verify and sign a version too:
`manifest` (the digests of the files, as an in-toto statement), `envelope` (a statement with its
signature, as a Sigstore bundle), `versions` (signs and verifies a folder). Needs no network.
"""
