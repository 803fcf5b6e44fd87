"""The two processes as children: starting, watching and stopping them."""
