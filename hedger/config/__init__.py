"""What the configuration says: reading its file, checking names, addresses and networks."""
