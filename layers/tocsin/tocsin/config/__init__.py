"""What the files say: the schema, the loader, the compiled plan."""
