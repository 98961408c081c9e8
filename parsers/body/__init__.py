"""What bodies say: decoded samples, and the operation that a request names in its body rather than in its path."""
