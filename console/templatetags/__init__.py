"""Template tags of the console. Enter: values of a view. Leave: small, escaped pieces of HTML."""
