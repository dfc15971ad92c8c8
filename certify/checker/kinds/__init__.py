"""One file a kind: the conclusions that certificates draw."""
