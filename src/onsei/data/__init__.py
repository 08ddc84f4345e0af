"""Data: manifests, duration buckets, loaders, stored features."""
