"""From folders to a filled base: what to send, sending it, and what came of it."""
