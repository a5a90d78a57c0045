"""Floor 9: the command line. It parses, calls one function of the API, and renders."""
