"""The only room that speaks to Keyfactor Command."""
