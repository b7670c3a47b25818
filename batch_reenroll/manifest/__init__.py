"""What the user asked for: read CSV and YAML, validate, normalise to rows."""
