"""An authenticator app as the second factor of a sign-in with a password."""
