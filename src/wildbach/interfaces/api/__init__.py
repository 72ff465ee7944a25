"""The one way into the client: what can be asked of it, in types (`contract`, `models`), and who answers (`local`)."""
