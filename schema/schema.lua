-- Generated from schema/fields.ts by `npm run generate`; do not edit.
return {
  name = "x-custom-jwt",
  fields = {
    {
      config = {
        type = "record",
        fields = {
          {
            iss = {
              type = "string",
              description = "Issuer of the token, the claim `iss`.",
              default = "https://kong-gateway:8443/x-custom-jwt",
              match = "^%a[%w+.%-]*://[^%s/?#:@][^%s]*$",
              match_none = {
                {
                  pattern = "^[^/?#]*//[^/?#]*@",
                  err = "must not have a user name",
                },
              },
            },
          },
          {
            jku = {
              type = "string",
              description = "URL of the JWK Set that verifies the token, the header parameter `jku`.",
              default = "https://kong-gateway:8443/x-custom-jwt/jwks",
              match = "^%a[%w+.%-]*://[^%s/?#:@][^%s]*$",
              match_none = {
                {
                  pattern = "^[^/?#]*//[^/?#]*@",
                  err = "must not have a user name",
                },
              },
            },
          },
          {
            private_jwk = {
              type = "string",
              description = "Private JWK (JSON text) that signs the token; may be a vault reference.",
              required = true,
              len_min = 1,
              encrypted = true,
              referenceable = true,
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
              description = "Claim of an incoming token that becomes the claim `client_id`.",
              default = "clientId",
              len_min = 1,
            },
          },
          {
            apikey_header = {
              type = "string",
              description = "Header that holds the API key, read only when the credential does not hold it and `key` is the one method in `auth_methods`.",
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
              description = "Authentications that are accepted. Add `oidc` on a route behind openid-connect, and only there.",
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
        },
      },
    },
  },
}
