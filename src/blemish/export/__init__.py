"""Take a model to other runtimes: one ONNX file from sized pixels to score and map, its readers, and the proof."""
