"""How the starter pack was made: data, training, export, evaluation.

Nothing of it is needed at run time.
"""
