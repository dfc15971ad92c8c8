"""The contraction step and the definiteness test once more, as loops for a compiler (the extra `compiled`)."""
