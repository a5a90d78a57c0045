"""Floor 9: the command line: parse, call one function of the API, render."""
