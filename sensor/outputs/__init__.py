"""What leaves the sensor other than through the store."""
