home-title = Home
home-hello = Good to see you, { $name }
home-notices = What waits for you
home-no-notices = Nothing waits for you.
