"""What operators see: each page over a real database, without a browser."""
