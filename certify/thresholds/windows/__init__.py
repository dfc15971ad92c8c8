"""Thresholds for long horizons: policies that differ only beyond the last k action-observation pairs
share a box, values are bounded over hidden nodes (state, windows), and uniqueness follows from
conditional covariances (docs/windows.md; proofs: docs/certificate-windows.md).

Everything here is floats and untrusted; what it finds is written down as a certificate of type "windows".
"""
