import { createPublicKey } from "node:crypto";
import type { Channel } from "node:diagnostics_channel";
import { type JWTPayload, jwtVerify } from "jose";
import type { Decision } from "../../core/decisions";
import { testKey } from "../../local/demo/flows";
import { Plugin } from "../../plugins/x-custom-jwt";
import { asking, type KnownRequest } from "./facts";
import { isConfigWarning } from "./notes";
import { rawConfig } from "./samples";

/** What the plugin asked about a request and decided, headers by name. */
export interface Seen {
	/** E.g. `header x-tenant-id`, one list per time it asked. */
	rounds: string[][];
	upstreamHeaders: Record<string, string>;
	downstreamHeaders: Record<string, string>;
	/** What Kong's log plugins get. */
	serialized: Record<string, unknown>;
	/** Without the warnings at instance start. */
	logs: Decision["log"];
	exit: Decision["exit"];
}

/** Runs one request through a new instance of the plugin. */
export async function run(
	request: KnownRequest,
	config: object = {},
): Promise<Seen> {
	return runOn(new Plugin(rawConfig(config)), request);
}

/** Runs one request through an instance. */
export async function runOn(
	plugin: Plugin,
	request: KnownRequest,
): Promise<Seen> {
	const { ask, rounds } = asking(request);
	const decision = await plugin.decide(ask);
	return {
		rounds,
		upstreamHeaders: Object.fromEntries(decision.upstreamHeaders),
		downstreamHeaders: Object.fromEntries(decision.downstreamHeaders),
		serialized: Object.fromEntries(decision.logValues),
		logs: decision.log.filter(({ message }) => !isConfigWarning(message)),
		exit: decision.exit,
	};
}

const publicKey = createPublicKey(testKey("ES256-public.pem"));

/** The claims of a token that the key of `rawConfig` has signed. */
export async function verify(token = ""): Promise<JWTPayload> {
	return (await jwtVerify(token, publicKey)).payload;
}

/** The claims that the backend gets for a request. */
export async function claimsFor(
	request: KnownRequest,
	config: object = {},
): Promise<JWTPayload> {
	const { upstreamHeaders, exit } = await run(request, config);
	if (exit) throw new Error(`refused: ${JSON.stringify(exit)}`);
	return verify(upstreamHeaders["X-Custom-Jwt"]);
}

/** What is published on the channel meanwhile. */
export async function published(
	channel: Channel,
	action: () => Promise<unknown>,
): Promise<unknown[]> {
	const messages: unknown[] = [];
	const listen = (message: unknown) => messages.push(message);
	channel.subscribe(listen);
	try {
		await action();
	} finally {
		channel.unsubscribe(listen);
	}
	return messages;
}
