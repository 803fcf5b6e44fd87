"""Against what a competent user would write: FastAPI over insightface's FaceAnalysis."""
