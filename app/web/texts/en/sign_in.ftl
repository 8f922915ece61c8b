sign-in-title = Sign in
sign-in-about = Share what your chest X-rays teach a model, without sharing the X-rays.
sign-in-ended = Your session has ended. Your earlier work is saved.
sign-in-button = Sign in
sign-in-with = Sign in with { $provider }
sign-out = Sign out
note-signed-out = You are signed out.
note-link-sent = If there is an account with this address, a link was sent to it.
note-welcome = Welcome. Your account is ready.

code-title = Enter your code
code-about = Your account asks for a code after the password.
code = Code
code-help = The six digits that your authenticator app shows, or one of your recovery codes.

forgotten-link = Forgot your password?
forgotten-title = Reset your password
forgotten-about = We send you an e-mail with a link to set a new password. Your old password works until then.
forgotten-no-mail = This portal does not send e-mail. Ask an admin of your organisation for a link to set a new password.
forgotten-button = Send the link
back-to-sign-in = Back to sign-in

join-title = Your link
join-needs-script = Checking your link… This page needs JavaScript.
join-about = { $inviter } invites you to join { $organisation } as { $email }. Your roles:
join-first-about = You are the first person here. Your organisation is called { $organisation } until you rename it. Your roles:
join-password-about = Set a new password for { $email } at { $organisation }. All sessions of this account will end, and all its tokens will be deleted.
new-password = New password
password-help = At least 12 characters. A whole sentence is easy to remember.
join-button = Join
join-password-button = Set the password
