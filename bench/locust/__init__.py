"""The load of `/search/` for Locust."""
