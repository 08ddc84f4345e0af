"""What comes from and goes to other tools: checkpoints of deepspeech.pytorch, ONNX files."""
