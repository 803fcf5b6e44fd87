"""The truth about photos, faces, spaces, keys, leases and jobs."""
