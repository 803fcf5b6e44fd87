"""The contract of the inference service: `inference_pb2` and `inference_pb2_grpc`."""
