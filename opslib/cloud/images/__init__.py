"""What cloud tasks know of container images: their names, the engine that builds them, registries that hold them."""
