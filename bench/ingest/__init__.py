"""What keeping photos costs."""
