"""What batching, gRPC and asyncio cost: the server against a bare loop of the same sessions."""
