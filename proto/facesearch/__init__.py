"""The packages of facesearch that its clients import.

A file, so that a folder of this name beside a caller's script, such as a clone, does not hide it.
"""
