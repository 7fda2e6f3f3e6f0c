"""An extraction in chunks: in processes or on Ray, and resumed after a stop."""
