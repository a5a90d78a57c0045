"""Example clusters, each with its lesson in the first comment."""
