/**
 * Sends requests to a gateway for some time, each on a connection of its own, and verifies each token with the gateway's JWK Set.
 * The backend answers with the headers that it got. It exits with 0 when all requests were answered with a token of the client:
 *
 *   node -r ts-node/register test/live/traffic.ts URL API-KEY CLIENT-ID SECONDS
 */
import { createLocalJWKSet, jwtVerify } from "jose";
import { send } from "../../local/http";

/** How many requests are in flight at a time. */
const LANES = 4;

async function main([url = "", apikey, client, seconds]: string[]) {
	const { body } = await send(`${new URL(url).origin}/x-custom-jwt/jwks`);
	const keys = createLocalJWKSet(JSON.parse(body));
	const outcomes: Record<string, number> = {};

	/** Sends a request, and says what came of it. */
	async function ask(): Promise<string> {
		const headers = { apikey, connection: "close" };
		const reply = await send(url, { headers, timeout: 30_000 });
		if (reply.status !== 200) return `status ${reply.status}`;
		const token = JSON.parse(reply.body).headers["x-custom-jwt"];
		const { payload } = await jwtVerify(token, keys);
		return payload.client_id === client ? "ok" : "token of another client";
	}

	const end = Date.now() + Number(seconds) * 1000;
	async function lane(): Promise<void> {
		while (Date.now() < end) {
			const outcome = await ask().catch((error: Error) => error.message);
			outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
		}
	}
	await Promise.all(Array.from({ length: LANES }, lane));
	console.log(outcomes);
	if (Object.keys(outcomes).join() !== "ok") process.exitCode = 1;
}

main(process.argv.slice(2));
