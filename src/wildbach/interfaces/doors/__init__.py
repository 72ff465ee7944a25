"""Doors for programs that were written for other clients: each speaks another client's API and asks ours."""
