"""How the service scales with workers and organisations: measured, then modelled."""
