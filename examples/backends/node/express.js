// Express behind Kong: answers who calls, when a token of x-custom-jwt verifies, and 401 otherwise.
import express from "express";
import { createRemoteJWKSet, jwtVerify } from "jose";

// Exactly as in the plugin's configuration: `iss`, and `audience` or the URL of the Kong Service.
const ISSUER = process.env.ISSUER ?? "https://api.example.com/x-custom-jwt";
const AUDIENCE = process.env.AUDIENCE ?? "http://orders:8080";
// Configured here, and never taken from the token: whoever forges a token chooses its `jku`.
const JWKS_URL = process.env.JWKS_URL ?? `${ISSUER}/jwks`;
// How long a key is believed that has left the JWK Set.
const CACHE_SECONDS = Number(process.env.JWKS_CACHE_SECONDS ?? 300);

const keySet = createRemoteJWKSet(new URL(JWKS_URL), {
	cacheMaxAge: CACHE_SECONDS * 1000,
	// A `kid` that is not in the set fetches it again, but no oftener than this.
	cooldownDuration: CACHE_SECONDS * 100,
	timeoutDuration: 5000,
});
const expected = {
	issuer: ISSUER,
	audience: AUDIENCE,
	// That of your key alone, never what the token says.
	algorithms: ["ES256"],
	requiredClaims: ["exp", "client_id"],
	clockTolerance: 5,
};

const app = express();

app.use(async (request, response, next) => {
	try {
		const token = request.get("X-Custom-Jwt") ?? "";
		response.locals.caller = (await jwtVerify(token, keySet, expected)).payload;
	} catch (error) {
		console.warn(`refused: ${error.message}`);
		response.status(401).set("WWW-Authenticate", "Bearer");
		response.json({ message: "Unauthorized" });
		return;
	}
	next();
});

app.get("/{*path}", (_request, response) => {
	response.json({ client_id: response.locals.caller.client_id });
});

app.listen(Number(process.env.PORT ?? 8080));
