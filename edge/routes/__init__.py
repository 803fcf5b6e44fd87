"""One file per kind of resource: reads the request, calls a use case, forms the answer."""
