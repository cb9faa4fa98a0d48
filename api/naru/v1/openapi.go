package naruv1

import _ "embed"

// OpenAPI is the REST side of the definition as an OpenAPI 3.1 document, in YAML.
//
//go:embed openapi.yaml
var OpenAPI []byte
