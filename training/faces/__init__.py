"""Face descriptions: labels, geometry, training and evaluation of the ``faces`` captioner."""
