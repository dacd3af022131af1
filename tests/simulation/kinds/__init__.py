"""Kinds of fault that change a world at moments, by what they change."""
