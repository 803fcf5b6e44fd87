"""How well a pack tells people apart: images and pairs in, figures out."""
