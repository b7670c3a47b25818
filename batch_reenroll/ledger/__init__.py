"""Durable truth: the database of campaigns and its journal."""
