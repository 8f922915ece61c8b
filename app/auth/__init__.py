"""Who calls: sessions, tokens, single sign-on."""
