/** The frames of one request, recorded once and sent again: load that costs little beside the server that it is for. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { PluginServer } from "../local/gateway/plugin-server";
import { ProtoBufRpc } from "../local/gateway/protobuf";
import { cpuMicroseconds, residentMegabytes, withApiKey } from "./servers";

/** What Kong sends at once, and how many bytes come back before it goes on. */
interface Turn {
	send: Buffer;
	expect: number;
}

/** Records a request between Kong and a plugin server; one whose answers are always as long, as with ES256 and RS256. */
async function record(socketPath: string, instance: number): Promise<Turn[]> {
	const turns: Turn[] = [];
	const between = createServer((kong) => {
		const server = connect(socketPath);
		kong.on("data", (send) => {
			const turn = turns.at(-1);
			if (turn?.expect === 0) turn.send = Buffer.concat([turn.send, send]);
			else turns.push({ send, expect: 0 });
			server.write(send);
		});
		server.on("data", (chunk) => {
			const turn = turns.at(-1);
			if (turn) turn.expect += chunk.length;
			kong.write(chunk);
		});
		kong.on("close", () => {
			server.destroy();
			between.close();
		});
	}).listen(`${socketPath}.record`);
	await once(between, "listening");
	const rpc = new ProtoBufRpc(`${socketPath}.record`, () => {});
	const exit = await rpc.handleEvent(instance, withApiKey);
	if (exit) throw new Error(`the request ended with ${exit.status}`);
	rpc.close();
	await once(between, "close");
	return turns;
}

/** One connection that makes a recorded request again and again. */
class Replay {
	/** How many requests it has made. */
	requests = 0;
	#turn = 0;
	#missing = 0;
	#end: (() => void) | undefined;

	constructor(
		readonly socket: Socket,
		readonly turns: Turn[],
	) {
		socket.on("data", (chunk) => {
			this.#missing -= chunk.length;
			if (this.#missing < 0) throw new Error("more than was recorded");
			if (this.#missing > 0) return;
			this.#turn += 1;
			this.#send();
		});
	}

	start(): void {
		this.#end = undefined;
		this.#send();
	}

	/** Resolves when the request that it makes has ended. */
	stop(): Promise<void> {
		return new Promise((resolve) => {
			this.#end = resolve;
		});
	}

	#send(): void {
		const { send = "", expect = 0 } = this.turns[this.#turn] ?? {};
		this.#missing = expect;
		this.socket.write(send);
		// The last turn is the results that nobody reads: Kong sends them, and then what comes next.
		if (expect > 0) return;
		this.#turn = 0;
		this.requests += 1;
		if (this.#end) this.#end();
		else this.#send();
	}
}

/** What a run of requests came to. */
interface Run {
	/** Per second. */
	tokens: number;
	/** Of all its processes, in microseconds per token. */
	cpu: number;
	/** The CPU of the process that has least to do, as a share of all. */
	least: number;
	/** Resident, of each process, in MB. */
	memory: number[];
}

const sum = (figures: number[]) => figures.reduce((a, b) => a + b, 0);

/** A plugin server with connections that make one recorded request again and again. */
export class ReplayedServer {
	private constructor(
		readonly server: PluginServer,
		readonly replays: Replay[],
		/** Of the first process and its workers. */
		readonly pids: number[],
	) {}

	/** @param command of a plugin server that speaks ProtoBuf */
	static async start(command: string[], config: object, connections: number) {
		const server = new PluginServer(command, () => {});
		await server.start();
		const { socketPath, pid = 0 } = server;
		const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
		const pids = [pid, ...children.split(" ").filter(Boolean).map(Number)];
		const rpc = new ProtoBufRpc(socketPath, () => {});
		const json = JSON.stringify(config);
		const instance = await rpc.startInstance("x-custom-jwt", json);
		// The first request of an instance on each process may bring warnings.
		const first = () => rpc.handleEvent(instance, withApiKey);
		await Promise.all(Array.from({ length: 4 * pids.length }, first));
		rpc.close();
		const turns = await record(socketPath, instance);
		const replays = Array.from(
			{ length: connections },
			() => new Replay(connect(socketPath), turns),
		);
		return new ReplayedServer(server, replays, pids);
	}

	async run(seconds: number): Promise<Run> {
		const cpuOf = () => this.pids.map(cpuMicroseconds);
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
		for (const { socket } of this.replays) socket.destroy();
		await this.server.stop();
	}
}
