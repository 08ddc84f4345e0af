"""Audio: files to float32 arrays and back, resampling, features as modules, augmentation."""
