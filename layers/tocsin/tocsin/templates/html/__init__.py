"""html/template: escaping by the place in which a value stands.

Source: https://pkg.go.dev/html/template.
"""
