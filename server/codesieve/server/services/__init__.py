"""The servicers: thin, one module for each service."""
