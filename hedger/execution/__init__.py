"""What stands between a decision and the bytes that leave."""
