"""Arguments, wiring, rendering. Decides nothing about rows."""
