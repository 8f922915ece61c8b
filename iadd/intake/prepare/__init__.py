"""Makes pictures without identity where they are: inside the hospital, before anything is sent."""
