"""What many callers at once get from one inference server."""
