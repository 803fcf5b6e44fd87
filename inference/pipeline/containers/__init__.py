"""JPEG, PNG and WebP files as containers: size, orientation, colour profile, and what holds pixels.

Everything beside the pixels is read here, with limits, so that the decoder gets a file without
metadata: nothing in a comment, profile or EXIF block can make it fail, warn or take memory.
"""
