"""What the venues hold, held against our own record."""
