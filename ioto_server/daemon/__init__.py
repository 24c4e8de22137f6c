"""What runs for months: the process around the server."""
