"""Sample systems to operate on."""
