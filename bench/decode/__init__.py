"""P8: from the bytes of a large JPEG to what the detector needs."""
