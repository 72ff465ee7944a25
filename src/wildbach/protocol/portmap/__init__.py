"""Asking a router to let peers in: NAT-PMP (RFC 6886), PCP (RFC 6887) and UPnP (SSDP and the IGD services)."""
