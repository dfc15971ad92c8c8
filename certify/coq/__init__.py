"""Certificates for Coq: the games of our certificates as theorems that a proof assistant's kernel accepts.

`expressions` and `model` mirror the library in `proofs/coq` exactly, `approx_search` finds the data that its
checker needs in floating point, `writing` writes the file, `building` runs Coq on it.  Nothing here is trusted:
a wrong search writes a file that Coq rejects.
"""
