"""uTP (BEP 29): a stream over datagrams that gives way to everything else on the link. Bytes in, packets out."""
