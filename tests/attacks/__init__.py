"""Attacks on the assistant: what hostile text may talk a model into, played with a model that always obeys it."""
