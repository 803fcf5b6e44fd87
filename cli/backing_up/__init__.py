"""A base into a folder and back: `facesearch backup` and `facesearch restore`."""
