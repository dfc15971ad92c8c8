"""What people look at: pages and pictures of certificates and results, made from what `certify.certificates` states."""
