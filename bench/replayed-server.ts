import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { testKey } from "../local/demo/flows";
import { PluginServer } from "../local/gateway/plugin-server";
import { Client } from "../test/support/client";
import { requests, service } from "../test/support/samples";
import { cpuMicroseconds, residentMegabytes } from "./proc";
import { Replay, record } from "./replay";

const withKey = (file: string) => ({
	private_jwk: testKey(file),
	service_id: service.id,
});

/** Configurations by what a key-auth request makes of them. */
export const OUTCOMES = {
	"fresh, RS256": withKey("RS256-jwk-private.json"),
	"fresh, ES256": withKey("ES256-jwk-private.json"),
	reused: { ...withKey("ES256-jwk-private.json"), reuse_for: 600 },
};

/** What a run of requests came to. */
export interface Run {
	/** Per second. */
	tokens: number;
	/** Of all its processes, in microseconds per token. */
	cpu: number;
	/** The CPU of the process that has least to do, as a share of all. */
	least: number;
	/** Resident, of each process, in MB. */
	memory: number[];
}

/** A plugin server with connections that make one recorded request again and again. */
export class ReplayedServer {
	private constructor(
		readonly server: PluginServer,
		readonly replays: Replay[],
		/** Of the first process and its workers. */
		readonly pids: number[],
	) {}

	/**
	 * @param command of the plugin server, which speaks ProtoBuf
	 * @param config of the plugin entry
	 */
	static async start(
		command: string[],
		config: Record<string, unknown>,
		connections: number,
	): Promise<ReplayedServer> {
		const server = new PluginServer(command, () => {});
		await server.start();
		const { socketPath, pid = 0 } = server;
		const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
		const pids = [pid, ...children.split(" ").filter(Boolean).map(Number)];
		// The first request of an instance on each process may bring warnings.
		const clients = await Promise.all(
			Array.from({ length: 4 * pids.length }, () => Client.connect(socketPath)),
		);
		const instance = (await clients[0]?.startInstance(config)) ?? 0;
		for (const client of clients) await client.runPhase(instance, requests.key);
		for (const client of clients) await client.close();
		const turns = await record(socketPath, instance, requests.key);
		const replays: Replay[] = [];
		for (let count = 0; count < connections; count++)
			replays.push(await Replay.open(socketPath, turns));
		return new ReplayedServer(server, replays, pids);
	}

	async run(seconds: number): Promise<Run> {
		const cpuOf = () => this.pids.map(cpuMicroseconds);
		const sum = (figures: number[]) => figures.reduce((a, b) => a + b, 0);
		const requestsOf = () => sum(this.replays.map(({ requests }) => requests));
		const [cpuBefore, before] = [cpuOf(), requestsOf()];
		const start = performance.now();
		for (const replay of this.replays) replay.start();
		await sleep(seconds * 1000);
		await Promise.all(this.replays.map((replay) => replay.stop()));
		const elapsed = (performance.now() - start) / 1000;
		const made = requestsOf() - before;
		const cpu = cpuOf().map((after, index) => after - (cpuBefore[index] ?? 0));
		return {
			tokens: made / elapsed,
			cpu: sum(cpu) / made,
			least: Math.min(...cpu) / sum(cpu),
			memory: this.pids.map(residentMegabytes),
		};
	}

	async stop(): Promise<void> {
		for (const replay of this.replays) replay.close();
		await this.server.stop();
	}
}
