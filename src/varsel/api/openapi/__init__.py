"""The API's own description: its OpenAPI 3.1 document, generated from the wire types, and the page to read it on."""
