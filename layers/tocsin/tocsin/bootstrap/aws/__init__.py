"""What Lambda composes. One module a function, so that each imports only what it needs: ``receive`` has one second."""
