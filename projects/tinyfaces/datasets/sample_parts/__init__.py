"""The rooms of the built-in sample: sources, heads, scenes, files."""
