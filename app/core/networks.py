"""Parses networks in operators' settings."""

from ipaddress import IPv4Network, IPv6Network, ip_network


def parse_networks(text: str) -> list[IPv4Network | IPv6Network]:
    """Networks separated by commas. Raises ValueError."""
    return [ip_network(part.strip()) for part in text.split(",") if part.strip()]
