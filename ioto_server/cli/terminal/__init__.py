"""What `ioto-server connect` does once its options are read: a WebSocket, a screen, and what is typed."""
