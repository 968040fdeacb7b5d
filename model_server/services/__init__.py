"""The gRPC services: protobuf to domain and back, nothing else; and health."""
