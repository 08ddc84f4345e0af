"""A simulated vocal tract: a few parameters move a mid-sagittal contour, which is seen as film and heard as voice."""
