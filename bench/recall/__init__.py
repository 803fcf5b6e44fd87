"""Which faces are found, against FaceAnalysis, case by case."""
