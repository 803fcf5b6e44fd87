"""What the service keeps: vectors, records and photo bytes, one port each, adapters behind it."""
