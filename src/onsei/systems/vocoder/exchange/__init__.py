"""What comes from and goes to other tools: checkpoints of HiFi-GAN, ONNX files."""
