"""The only place that knows both the wire and the domain: `requests` reads and checks what clients send, `answers` writes
what they get."""
