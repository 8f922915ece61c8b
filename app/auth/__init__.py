"""Authentication: sessions, tokens, single sign-on."""
