"""Pictures that move: films of a vocal tract, read and written."""
