import { createPublicKey } from "node:crypto";
import type { Channel } from "node:diagnostics_channel";
import { type JWTPayload, jwtVerify } from "jose";
import { testKey } from "../../local/demo/flows";
import { Plugin } from "../../plugins/x-custom-jwt";
import { type FakeRequest, fakeKong, type Seen } from "./fake-kong";
import { rawConfig } from "./samples";

/** Runs one request through a new instance of the plugin. */
export async function run(
	request: FakeRequest,
	config: object = {},
): Promise<Seen> {
	return runOn(new Plugin(rawConfig(config)), request);
}

/** Runs one request through an instance. */
export async function runOn(
	plugin: Plugin,
	request: FakeRequest,
): Promise<Seen> {
	const kong = fakeKong(request);
	await plugin.access(kong);
	return kong.seen;
}

const publicKey = createPublicKey(testKey("ES256-public.pem"));

/** The claims of a token that the key of `rawConfig` has signed. */
export async function verify(token = ""): Promise<JWTPayload> {
	return (await jwtVerify(token, publicKey)).payload;
}

/** The claims that the backend gets for a request. */
export async function claimsFor(
	request: FakeRequest,
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
