"""Pictures, still and moving: from files, and back."""
