"""The demo: real photos in, selfies cut from other versions of them, and what was found."""
