"""One writer for each kind of certificate, one way to save, and the words a person reads."""
