"""The seed gallery: built, calibrated and measured by ``python -m training.gallery``."""
