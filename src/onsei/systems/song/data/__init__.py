"""From recordings with lyrics to batches of latents, sketch tokens and phones."""
