"""How spans leave a process. Both roles use it, and only where traces are asked for."""
