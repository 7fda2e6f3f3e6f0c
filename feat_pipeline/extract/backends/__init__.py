"""What measures AUs: one file a backend, and what belongs to it alone."""
