"""Arguments, wiring, rendering."""
