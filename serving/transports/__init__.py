"""The ways to reach a model server; `serving.client` is the door to them."""
