"""FastAPI behind Kong: answers who calls, when a token of x-custom-jwt verifies, and 401 otherwise."""

import logging
import os
from typing import Annotated

import jwt
import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException

# Exactly as in the plugin's configuration: `iss`, and `audience` or the URL of the Kong Service.
ISSUER = os.environ.get("ISSUER", "https://api.example.com/x-custom-jwt")
AUDIENCE = os.environ.get("AUDIENCE", "http://orders:8080")
# Configured here, and never taken from the token: whoever forges a token chooses its `jku`.
JWKS_URL = os.environ.get("JWKS_URL", f"{ISSUER}/jwks")
# How long a key is believed that has left the JWK Set.
CACHE_SECONDS = float(os.environ.get("JWKS_CACHE_SECONDS", "300"))

key_set = jwt.PyJWKClient(
    JWKS_URL,
    lifespan=CACHE_SECONDS,
    # A `kid` that is not in the set fetches it again, but no oftener than this.
    cooldown_duration=CACHE_SECONDS / 10,
    timeout=5,
)


# Not `async def`: fetching the JWK Set blocks, so FastAPI runs this in a thread.
def verified_caller(x_custom_jwt: Annotated[str, Header()] = "") -> dict:
    try:
        return jwt.decode(
            x_custom_jwt,
            key_set.get_signing_key_from_jwt(x_custom_jwt),
            # That of your key alone, never what the token says.
            algorithms=["ES256"],
            issuer=ISSUER,
            audience=AUDIENCE,
            leeway=5,
            options={"require": ["exp", "iss", "aud", "client_id"]},
        )
    except jwt.PyJWTError as error:
        logging.warning("refused: %s", error)
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"}) from error


# No openapi_url: dependencies do not guard /docs and /openapi.json.
app = FastAPI(dependencies=[Depends(verified_caller)], openapi_url=None)


@app.get("/{path:path}")
def who_calls(caller: Annotated[dict, Depends(verified_caller)]) -> dict:
    return {"client_id": caller["client_id"]}


if __name__ == "__main__":
    uvicorn.run(app, host="0.0.0.0", port=int(os.environ.get("PORT", "8080")))
