// Fastify behind Kong: answers who calls, when a token of x-custom-jwt verifies, and 401 otherwise.
import Fastify from "fastify";
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

const app = Fastify({ logger: { level: "warn" } });

app.decorateRequest("caller", null);
app.addHook("onRequest", async (request, reply) => {
	try {
		const token = request.headers["x-custom-jwt"] ?? "";
		request.caller = (await jwtVerify(token, keySet, expected)).payload;
	} catch (error) {
		request.log.warn(`refused: ${error.message}`);
		reply.code(401).header("WWW-Authenticate", "Bearer");
		return reply.send({ message: "Unauthorized" });
	}
});

app.get("/*", async ({ caller }) => ({ client_id: caller.client_id }));

await app.listen({ port: Number(process.env.PORT ?? 8080), host: "::" });
