/** The plugin's side of one of Kong's workers, with requests to several routes. */
import { generateKeyPairSync } from "node:crypto";
import {
	Client,
	ConnectionLost,
	clientOf,
	type PdkCall,
	SET_HEADER,
	tokenIn,
} from "./client";
import { until } from "./server";

/** How many routes there are. */
export const ROUTES = 8;
/** Requests at a time on each route. */
const CLIENTS = 2;

/** A configuration for each route; no two have a key or an issuer in common. */
export const CONFIGS = Array.from({ length: ROUTES }, (_, route) => {
	const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
	const jwk = privateKey.export({ format: "jwk" });
	return {
		private_jwk: JSON.stringify({ ...jwk, alg: "ES256", kid: `key-${route}` }),
		iss: `https://issuer-${route}.example/`,
	};
});

/** What a token says of the route it is for. */
export const marks = (route: number) => ({
	kid: `key-${route}`,
	iss: `https://issuer-${route}.example/`,
});

/** What the token among these calls says of its route. */
export function marksIn(calls: PdkCall[]) {
	const { header, claims } = tokenIn(calls);
	return { kid: header.kid, iss: claims.iss };
}

/**
 * The plugin's side of one of Kong's workers: when a connection closes within an event, it forgets its
 * instances, starts the instance again and repeats the event; when nobody listens, it answers 500 (Kong:
 * pb_rpc.lua).
 */
export class Worker {
	#instances = new Map<number, number>();
	readonly #idle: Client[] = [];

	constructor(readonly socketPath: string) {}

	/** @returns the plugin's calls about one request; none for 500 */
	async request(route: number): Promise<PdkCall[]> {
		for (;;) {
			const client = this.#idle.pop() ?? new Client(this.socketPath);
			try {
				let id = this.#instances.get(route);
				if (id === undefined) {
					id = await client.startInstance(CONFIGS[route] ?? {});
					this.#instances.set(route, id);
				}
				const calls = await client.runPhase(id, clientOf("alice"));
				this.#idle.push(client);
				return calls;
			} catch (error) {
				if (!(error instanceof ConnectionLost)) return [];
				this.#instances.clear();
			}
		}
	}

	async close(): Promise<void> {
		await Promise.all(this.#idle.map((client) => client.close()));
	}
}

/** Requests on all routes, until they are to end. */
export function loadOn(worker: Worker) {
	const signed = CONFIGS.map(() => 0);
	const wrong: unknown[] = [];
	let failed = 0;
	let stopped = false;
	const load = CONFIGS.flatMap((_, route) =>
		Array.from({ length: CLIENTS }, async () => {
			while (!stopped) {
				const calls = await worker.request(route);
				const { method } = calls.at(-1) ?? {};
				if (calls.length === 0) failed += 1;
				else if (method !== SET_HEADER) wrong.push(calls);
				else if (
					JSON.stringify(marksIn(calls)) !== JSON.stringify(marks(route))
				)
					wrong.push(marksIn(calls));
				else signed[route] = (signed[route] ?? 0) + 1;
			}
		}),
	);
	return {
		/** Resolves when each route has a token that it had not when this was called. */
		async untilSigned(): Promise<void> {
			const before = [...signed];
			await until("all routes have new tokens", () =>
				signed.every((count, route) => count > (before[route] ?? 0)),
			);
		},
		/** Ends the load; says what tokens were not of their route, and how many requests had none but 500. */
		async end() {
			stopped = true;
			await Promise.all(load);
			return { wrong, failed };
		},
	};
}
