"""Flask-SocketIO's API on Erlen's engine."""
