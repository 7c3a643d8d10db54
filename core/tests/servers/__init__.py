"""Real servers for the tests, each in a temporary folder, on a free loopback port, as an unprivileged user."""
