"""The terminal screen, `wildbach top`: it speaks with an `Api` and draws cells itself."""
