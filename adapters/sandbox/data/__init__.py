"""Recorded data of both venues, packaged. ORIGIN.md says where each file comes from."""
