"""How good the networks are on people and photos that they were not trained on."""
