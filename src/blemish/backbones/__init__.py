"""Networks: kept as ONNX with a manifest, opened, traced, and exported from torch."""
