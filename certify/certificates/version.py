"""The name and version of the certificate format (docs/certificate-format.md)."""

FORMAT, VERSION = "certify-certificate", 1
