"""What the service would need elsewhere: a model of it, fed with measured times and checked."""
