"""One file a verb; each has a click command called `command`. A file here is a verb of kemu, without being listed anywhere."""
