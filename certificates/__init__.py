"""The certificates and keys of TLS, for both roles. It knows nothing of either."""
