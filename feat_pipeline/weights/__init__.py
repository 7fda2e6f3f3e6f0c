"""Network weights: what ships, what can be fetched, and ONNX sessions."""
