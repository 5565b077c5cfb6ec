import { setTimeout } from "node:timers/promises";
import type { Anything } from "../backend/backend";
import type { Reach } from "../demo/flows";
import { send } from "../http";
import { API_KEY, FORGED } from "./tricks";

/** Clients that send one request after the other. */
const CLIENTS = 8;
/** Requests in a row that must succeed before, and after, a restart. */
const STEADY = 50;
/** How long a gateway may take to serve again, in milliseconds. */
const PATIENCE = 60_000;

/**
 * Sends requests with a valid API key and a forged token while the plugin server is ended: each must get a token of its own
 * client, or a refusal of the gateway's; and soon all must get one again.
 *
 * @param restart ends the plugin server, so that Kong starts another
 * @param signal ends the wait
 */
export async function throughRestart(
	{ httpUrl }: Reach,
	restart: () => Promise<unknown>,
	signal?: AbortSignal,
): Promise<{ passed: boolean; got: string }> {
	const counts = { own: 0, refused: 0, wrong: 0 };
	let inRow = 0;
	let goesOn = true;
	const client = async () => {
		while (goesOn) {
			const outcome = await request(httpUrl);
			counts[outcome] += 1;
			inRow = outcome === "own" ? inRow + 1 : 0;
			if (outcome !== "own") await setTimeout(10);
		}
	};
	const clients = Array.from({ length: CLIENTS }, client);
	const steady = async () => {
		const until = Date.now() + PATIENCE;
		while (inRow < STEADY && Date.now() < until && !signal?.aborted)
			await setTimeout(20);
		return inRow >= STEADY;
	};
	try {
		if (!(await steady()))
			return { passed: false, got: "not served before the restart" };
		await restart();
		const started = Date.now();
		// Else requests before the end of the plugin server would count.
		await setTimeout(500);
		inRow = 0;
		const isServed = await steady();
		const seconds = ((Date.now() - started) / 1000).toFixed(1);
		return {
			passed: isServed && counts.wrong === 0,
			got: `${counts.own} with their own token, ${counts.refused} refused, ${counts.wrong} wrong; ${isServed ? `all served ${seconds} s later` : "not served again"}`,
		};
	} finally {
		goesOn = false;
		await Promise.all(clients);
	}
}

async function request(httpUrl: string): Promise<"own" | "refused" | "wrong"> {
	try {
		const { status, body } = await send(`${httpUrl}/apiKey`, {
			headers: { apikey: API_KEY, "x-custom-jwt": FORGED },
		});
		if (status >= 500) return "refused";
		const { jwt } = JSON.parse(body) as Partial<Anything>;
		return status === 200 && jwt?.claims.client_id === API_KEY
			? "own"
			: "wrong";
	} catch {
		// A connection that is reset goes nowhere.
		return "refused";
	}
}
