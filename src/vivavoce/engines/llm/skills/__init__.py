"""What the responder can talk about, one topic per module; their order stands in `order`."""
