account-title = Your account
account-organisation = Organisation
account-roles = Your roles
account-roles-who = Admins of your organisation change roles. A change takes effect at once.

account-password = Change your password
account-password-current = Current password
account-password-ends = Your sessions on other devices end, and your tokens are deleted: create new ones for the programs that need them.
note-password-changed = Your password is changed. Your other sessions have ended, and your tokens are deleted.

factor-title = Two-factor authentication
factor-about = With an authenticator app on your phone, a sign-in with your password asks for a code too. A stolen password alone then opens nothing.
factor-begin-open = Add an authenticator app…
factor-begin-button = Continue
factor-scan = Scan this picture with your authenticator app.
factor-qr = QR code for your authenticator app. The same secret stands below as text.
factor-type = Or type this secret into the app. It is shown only here.
factor-first-code = Code that the app shows now
factor-confirm-button = Switch on
factor-codes-title = Your recovery codes
factor-codes-about = Keep them where you keep important papers, not on the phone. Each one signs you in once without the app. They are shown only here.
factor-codes-kept = I have kept them
factor-on = Sign-ins with your password ask for a code. Switched on
factor-left = { $count ->
    [0] No recovery code is left: remove the app and add it again to get new ones.
    [one] One recovery code is left.
   *[other] { $count } recovery codes are left.
}
factor-remove-open = Remove the authenticator app…
factor-remove-about = A sign-in then asks for the password alone. The recovery codes stop working.
factor-remove-button = Remove
note-factor-removed = Two-factor authentication is off. Sign-ins ask for the password alone.

account-everywhere = Sign out everywhere
account-everywhere-about = All your sessions end, on every device, this one too. Tokens stay: delete those that somebody else may have.
account-everywhere-button = Sign out everywhere

account-tokens = Your tokens
account-tokens-about = With a token, a script or the command line can do what you can do, or less. Create one token for each purpose, so that you can delete each one separately.
