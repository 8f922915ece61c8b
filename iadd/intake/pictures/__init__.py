"""Decodes untrusted pictures to grey values of one size."""
