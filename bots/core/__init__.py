"""What all bots share: client, replies, card, limits, texts."""
