"""The people whom faces are compared with: store, index, scores."""
