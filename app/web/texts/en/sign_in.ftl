sign-in-title = Sign in
sign-in-about = Hospitals share here what their chest X-rays teach, and keep the X-rays.
sign-in-ended = Your session has ended. What you did before is kept.
sign-in-button = Sign in
sign-in-with = Sign in with { $provider }
sign-out = Sign out
note-signed-out = You are signed out.
note-link-sent = If there is an account with this address, a link was sent to it.
note-welcome = Welcome. Your account is ready.

forgotten-link = I forgot my password
forgotten-title = A new password
forgotten-about = We mail you a link with which you set a new one. The old one works until then.
forgotten-no-mail = This portal sends no mail. Ask an admin of your organisation for a link to set a new password.
forgotten-button = Send the link
back-to-sign-in = Back to the sign-in

join-title = Your link
join-needs-script = Looking at your link… It needs scripts to be allowed for this page.
join-about = { $inviter } invites you to join { $organisation } as { $email }. You will be:
join-password-about = Set a new password for { $email } at { $organisation }. All sessions of this account end.
new-password = A new password
password-help = At least 12 characters. A sentence is easier to remember than a riddle.
join-button = Join
join-password-button = Set the password
