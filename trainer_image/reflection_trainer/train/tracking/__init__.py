"""Trackers that people know, told of every step: TensorBoard, Weights & Biases, MLflow, Trackio."""
