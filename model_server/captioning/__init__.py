"""ResNet-50 + LSTM captioners: vocabulary, networks, beam search."""
