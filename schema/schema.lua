-- Generated from schema/fields.ts by `npm run generate`; do not edit.
return {
  name = "x-custom-jwt",
  fields = {
    {
      protocols = {
        type = "set",
        required = true,
        default = {
          "grpc",
          "grpcs",
          "http",
          "https",
        },
        elements = {
          type = "string",
          one_of = {
            "grpc",
            "grpcs",
            "http",
            "https",
          },
        },
      },
    },
    {
      config = {
        type = "record",
        fields = {
          {
            iss = {
              type = "string",
              description = "Issuer of the token, the claim `iss`: a text or a URI.",
              default = "https://kong-gateway:8443/x-custom-jwt",
              match = "^%C+$",
              match_none = {
                {
                  pattern = "^[^:]*[^%w+.%-:][^:]*:",
                  err = "must be a URI without user name",
                },
                {
                  pattern = "^%A[^:]*:",
                  err = "must be a URI without user name",
                },
                {
                  pattern = "^:",
                  err = "must be a URI without user name",
                },
                {
                  pattern = "^[^:]*:$",
                  err = "must be a URI without user name",
                },
                {
                  pattern = "^[^:]*:.*%s",
                  err = "must be a URI without user name",
                },
                {
                  pattern = "^[^:]*://$",
                  err = "must be a URI without user name",
                },
                {
                  pattern = "^[^:]*://[/?#:@]",
                  err = "must be a URI without user name",
                },
                {
                  pattern = "^[^:]*://[^/?#]*@",
                  err = "must be a URI without user name",
                },
              },
            },
          },
          {
            jku = {
              type = "string",
              description = "URL of the JWK Set that verifies the token, the header parameter `jku`; empty leaves it out.",
              default = "https://kong-gateway:8443/x-custom-jwt/jwks",
              len_min = 0,
              match = "^%C*$",
              match_none = {
                {
                  pattern = "^[^:]*[^%w+.%-:][^:]*:",
                  err = "must be a URI without user name",
                },
                {
                  pattern = "^%A[^:]*:",
                  err = "must be a URI without user name",
                },
                {
                  pattern = "^:",
                  err = "must be a URI without user name",
                },
                {
                  pattern = "^[^:]*:$",
                  err = "must be a URI without user name",
                },
                {
                  pattern = "^[^:]*:.*%s",
                  err = "must be a URI without user name",
                },
                {
                  pattern = "^[^:]*://$",
                  err = "must be a URI without user name",
                },
                {
                  pattern = "^[^:]*://[/?#:@]",
                  err = "must be a URI without user name",
                },
                {
                  pattern = "^[^:]*://[^/?#]*@",
                  err = "must be a URI without user name",
                },
                {
                  pattern = "^[^:]+$",
                  err = "must be an absolute URL",
                },
                {
                  pattern = "^[^:]*:[^/]",
                  err = "must be an absolute URL",
                },
                {
                  pattern = "^[^:]*:/$",
                  err = "must be an absolute URL",
                },
                {
                  pattern = "^[^:]*:/[^/]",
                  err = "must be an absolute URL",
                },
              },
            },
          },
          {
            private_jwk = {
              type = "string",
              description = "Private JWK, or JWK Set of them, that signs the token (JSON text); may be a vault reference.",
              required = true,
              len_min = 1,
              encrypted = true,
              referenceable = true,
              match_none = {
                {
                  pattern = "^[^!-~]*[!-z|}~]",
                  err = "must be a JWK or a JWK Set as JSON text, or a vault reference",
                },
                {
                  pattern = "^[^!-~]*$",
                  err = "must be a JWK or a JWK Set as JSON text, or a vault reference",
                },
              },
            },
          },
          {
            expires_in = {
              type = "number",
              description = "Lifetime of the token, in seconds.",
              default = 1800,
              gt = 0,
            },
          },
          {
            bearer_clientid_claim = {
              type = "string",
              description = "Claim of an incoming token that becomes the claim `client_id`; `a.b` is the member `b` of `a`. Not needed where `set_claims` sets `client_id`.",
              default = "clientId",
              len_min = 1,
            },
          },
          {
            apikey_header = {
              type = "string",
              description = "Header in which clients send their API key. No template can name it; it is never an identity.",
              default = "apikey",
              match = "^[%w_%-]+$",
            },
          },
          {
            upstream_custom_jwt_header = {
              type = "string",
              description = "Header that takes the token to the backend; the client's own is overwritten. `Authorization` gets the prefix `Bearer `.",
              required = true,
              default = "X-Custom-Jwt",
              match = "^[%w_%-]+$",
            },
          },
          {
            token_prefix = {
              type = "string",
              description = "A word to put before the token in `upstream_custom_jwt_header`, with a space between them. `Authorization` has `Bearer` by default.",
              len_min = 1,
              match = "^[%w!#$&^_.+%-]+$",
            },
          },
          {
            downstream_custom_jwt_header = {
              type = "string",
              description = "Response header that also gives the token to the client.",
              match = "^[%w_%-]+$",
            },
          },
          {
            verbose = {
              type = "boolean",
              description = "Say in the member `detail` of an error body why the request was refused.",
              default = false,
            },
          },
          {
            auth_methods = {
              type = "set",
              description = "Methods of authentication that are accepted. Add `oidc` on a route behind openid-connect, and only there.",
              default = {
                "basic",
                "jwt",
                "key",
                "oauth2",
                "mtls",
                "consumer",
              },
              elements = {
                type = "string",
                one_of = {
                  "basic",
                  "jwt",
                  "key",
                  "oauth2",
                  "mtls",
                  "oidc",
                  "consumer",
                },
              },
              len_min = 1,
            },
          },
          {
            certificate_clientid = {
              type = "array",
              description = "What of a client's certificate becomes the claim `client_id`: the first that it has, e.g. `san.uri` for SPIFFE.",
              default = {
                "subject",
              },
              elements = {
                type = "string",
                one_of = {
                  "subject",
                  "serial",
                  "fingerprint",
                  "san.uri",
                  "san.dns",
                  "san.email",
                },
              },
              len_min = 1,
            },
          },
          {
            unauthenticated = {
              type = "string",
              description = "What becomes of a request that nobody authenticated: `refuse` answers 401, `pass` proxies it without a token, `anonymous` signs one for Kong's anonymous consumer.",
              default = "refuse",
              one_of = {
                "refuse",
                "pass",
                "anonymous",
              },
            },
          },
          {
            run_on_preflight = {
              type = "boolean",
              description = "Whether `OPTIONS` requests need a token; `false` proxies them without one.",
              default = true,
            },
          },
          {
            realm = {
              type = "string",
              description = "The parameter `realm` of `WWW-Authenticate` in a response 401.",
              len_min = 1,
              match = "^[%w ._:/%-]+$",
            },
          },
          {
            add_claims = {
              type = "map",
              description = "Claims to add unless the token has them: JSON or a text, with templates. A number that is not an integer stays a text.",
              keys = {
                type = "string",
                len_min = 1,
                match_none = {
                  {
                    pattern = "^iss$",
                    err = "iss cannot be set here",
                  },
                  {
                    pattern = "^iat$",
                    err = "iat cannot be set here",
                  },
                  {
                    pattern = "^exp$",
                    err = "exp cannot be set here",
                  },
                  {
                    pattern = "^nbf$",
                    err = "nbf cannot be set here",
                  },
                  {
                    pattern = "^aud$",
                    err = "aud cannot be set here",
                  },
                  {
                    pattern = "^jti$",
                    err = "jti cannot be set here",
                  },
                  {
                    pattern = "^act$",
                    err = "act cannot be set here",
                  },
                  {
                    pattern = "^client_id$",
                    err = "client_id cannot be set here",
                  },
                },
              },
              values = {
                type = "string",
                len_min = 1,
              },
            },
          },
          {
            set_claims = {
              type = "map",
              description = "Claims to set, whatever the token has: JSON or a text, with templates. `client_id` may be one of them.",
              keys = {
                type = "string",
                len_min = 1,
                match_none = {
                  {
                    pattern = "^iss$",
                    err = "iss cannot be set here",
                  },
                  {
                    pattern = "^iat$",
                    err = "iat cannot be set here",
                  },
                  {
                    pattern = "^exp$",
                    err = "exp cannot be set here",
                  },
                  {
                    pattern = "^nbf$",
                    err = "nbf cannot be set here",
                  },
                  {
                    pattern = "^aud$",
                    err = "aud cannot be set here",
                  },
                  {
                    pattern = "^jti$",
                    err = "jti cannot be set here",
                  },
                  {
                    pattern = "^act$",
                    err = "act cannot be set here",
                  },
                },
              },
              values = {
                type = "string",
                len_min = 1,
              },
            },
          },
          {
            keep_claims = {
              type = "array",
              description = "Claims of an incoming token that are copied; without this field all are, except those that are never copied.",
              elements = {
                type = "string",
                len_min = 1,
              },
            },
          },
          {
            remove_claims = {
              type = "array",
              description = "Claims of an incoming token that are not copied.",
              elements = {
                type = "string",
                len_min = 1,
              },
            },
          },
          {
            strict_claims = {
              type = "boolean",
              description = "Reject a request with 401 when a template has no value for it, instead of leaving the claim out. An empty value is a value, except for `sub`.",
              default = false,
            },
          },
          {
            audience = {
              type = "array",
              description = "The claim `aud`, with templates, instead of the URL of the Kong Service: one value as a string, several as an array.",
              elements = {
                type = "string",
                len_min = 1,
              },
              len_min = 1,
            },
          },
          {
            audience_as_array = {
              type = "boolean",
              description = "Make `aud` an array, of one value too.",
              default = false,
            },
          },
          {
            subject = {
              type = "string",
              description = "The claim `sub`, with templates.",
              len_min = 1,
            },
          },
          {
            not_before = {
              type = "integer",
              description = "The claim `nbf`, in seconds after the claim `iat`.",
              between = {
                -86400,
                86400,
              },
            },
          },
          {
            issued_at_skew = {
              type = "integer",
              description = "How many seconds earlier `iat` and `nbf` are than the time of issue, for backends whose clocks are slow; `exp` stays.",
              default = 0,
              between = {
                0,
                3600,
              },
            },
          },
          {
            cap_expiry = {
              type = "boolean",
              description = "Let no token outlive the incoming one it was made from.",
              default = false,
            },
          },
          {
            token_type = {
              type = "string",
              description = "The header parameter `typ`, e.g. `at+jwt` for access tokens (RFC 9068).",
              default = "JWT",
              len_max = 255,
              match = "^[%w!#$&^_.+/%-]+$",
            },
          },
          {
            max_token_size = {
              type = "integer",
              description = "Largest token in bytes; a request that needs a larger one is refused with 500. 0 is no limit.",
              default = 0,
              between = {
                0,
                1048576,
              },
            },
          },
          {
            key_id = {
              type = "string",
              description = "The header parameter `kid`, instead of the key's own.",
              len_min = 1,
            },
          },
          {
            algorithm = {
              type = "string",
              description = "The header parameter `alg`, instead of the key's own; it must fit the key.",
              one_of = {
                "RS256",
                "RS384",
                "RS512",
                "PS256",
                "PS384",
                "PS512",
                "ES256",
                "ES384",
                "ES512",
                "EdDSA",
                "Ed25519",
                "HS256",
                "HS384",
                "HS512",
              },
            },
          },
          {
            active_kid = {
              type = "string",
              description = "Which key signs when `private_jwk` is a JWK Set; without this field the first.",
              len_min = 1,
            },
          },
          {
            hmac_key_is_text = {
              type = "boolean",
              description = "Whether an HMAC key is the text of `k`, as in the published Lua plugin and in a `secret` of Kong's, and not the bytes that `k` encodes.",
            },
          },
          {
            include_x5c = {
              type = "boolean",
              description = "Put the key's certificate chain and its thumbprint into the header: `x5c`, `x5t#S256`.",
              default = false,
            },
          },
          {
            reuse_for = {
              type = "number",
              description = "Give the same caller with the same claims the same token for this many seconds at most; 0 signs a fresh one for each request.",
              default = 0,
              between = {
                0,
                86400,
              },
            },
          },
          {
            reuse_max_tokens = {
              type = "integer",
              description = "How many tokens are kept for `reuse_for`: those used last, and fewer when their claims are big.",
              default = 10000,
              between = {
                1,
                1000000,
              },
            },
          },
          {
            bind_request = {
              type = "boolean",
              description = "Add claims that bind the token to the request: `htm`, `htu` (RFC 9449) and `content_digest` (RFC 9530).",
              default = false,
            },
          },
          {
            bind_certificate = {
              type = "boolean",
              description = "Add the claim `cnf` that binds the token to the client's certificate (RFC 8705), when that was verified.",
              default = false,
            },
          },
          {
            max_request_body_size = {
              type = "integer",
              description = "Largest body in bytes that `bind_request` digests; a request with a larger one is refused with 413.",
              default = 1048576,
              between = {
                1,
                8388608,
              },
            },
          },
          {
            log_claims = {
              type = "array",
              description = "Claims of the token to put into Kong's access log, as `x_custom_jwt.…`.",
              elements = {
                type = "string",
                len_min = 1,
              },
            },
          },
        },
      },
    },
  },
}
