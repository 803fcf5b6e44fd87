"""From checkpoints to the pack: two ONNX files and what says which they are."""
