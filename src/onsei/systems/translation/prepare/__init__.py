"""The verb `prepare`: recordings, pictures and sentences of one's own become manifests."""
