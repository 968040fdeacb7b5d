"""The model server: photos in, captions and look-alikes out, over gRPC."""
