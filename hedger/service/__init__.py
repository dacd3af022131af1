"""What stands between a command and the parts that trade."""
