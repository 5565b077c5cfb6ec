/** Requests through both plugin servers as processes, over the protocol that each speaks with Kong. */

import { createPublicKey } from "node:crypto";
import { type JWTPayload, jwtVerify } from "jose";
import { testKey } from "../../local/demo/flows";
import {
	dedicatedServer,
	stockServer,
} from "../../local/gateway/plugin-server";
import { Client, EXIT, SET_HEADER, StockClient } from "./client";
import type { KnownRequest } from "./facts";
import { rawConfig } from "./samples";
import { type ServerProcess, startServer } from "./server";

/** The claims of the token for a request, or the status that ends it. */
export type OutcomeOf = (
	request: KnownRequest,
	config?: object,
) => Promise<JWTPayload | number>;

const KEY = createPublicKey(testKey("ES256-public.pem"));

/** Defines tests once for each server. */
export function onBothServers(define: (outcomeOf: OutcomeOf) => void): void {
	describe.each([
		[
			"the stock server, MessagePack",
			stockServer,
			(path: string) => new StockClient(path),
		],
		[
			"the dedicated server, ProtoBuf",
			dedicatedServer,
			(path: string) => new Client(path),
		],
	])("%s", (_, command, connect) => {
		let server: ServerProcess;
		let client: Client | StockClient;
		beforeAll(async () => {
			server = await startServer(command());
			client = connect(server.socketPath);
		});
		afterAll(async () => {
			await client.close();
			await server.kill();
		});

		define(async (request, config = {}) => {
			const instance = await client.startInstance(rawConfig(config));
			const calls = await client.runPhase(instance, request);
			const exit = calls.find(({ method }) => method === EXIT);
			if (exit) return Number(exit.args[0]);
			const set = calls.find(({ method }) => method === SET_HEADER);
			return (await jwtVerify(String(set?.args[1]), KEY)).payload;
		});
	});
}
