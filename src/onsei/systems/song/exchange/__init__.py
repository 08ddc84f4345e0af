"""Models of SongBloom and of its fork become model folders."""
