"""Training recipe: from labelled inspection images to ONNX models with passports."""
