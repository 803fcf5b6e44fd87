"""Rolling updates, crashes and restarts of real processes behind a real balancer, under load."""
