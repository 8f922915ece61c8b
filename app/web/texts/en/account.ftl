account-title = Your account
account-organisation = Organisation
account-roles = Your roles
account-roles-who = Admins of your organisation change roles. A change takes effect at once.

account-password = Change your password
account-password-current = Current password
account-password-ends = Your sessions on other devices end, and your tokens are deleted: create new ones for the programs that need them.
note-password-changed = Your password is changed. Your other sessions have ended, and your tokens are deleted.

account-everywhere = Sign out everywhere
account-everywhere-about = All your sessions end, on every device, this one too. Tokens stay: delete those that somebody else may have.
account-everywhere-button = Sign out everywhere

account-tokens = Your tokens
account-tokens-about = With a token, a script or the command line can do what you can do, or less. Create one token for each purpose, so that you can delete each one separately.
