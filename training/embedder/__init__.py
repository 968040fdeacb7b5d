"""The face embedder: converting dlib's network, training our own, measuring both."""
