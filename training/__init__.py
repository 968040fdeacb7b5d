"""Training of the captioners and the embedder, from raw data to bundle."""
